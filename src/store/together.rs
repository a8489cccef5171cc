//! Statements that say no more than how many rows they changed, and so go to the database together.

use futures_util::TryStreamExt as _;
use sqlx::any::AnyArguments;
use sqlx::{Any, Arguments as _, AssertSqlSafe, Either, Executor as _, FromRow, any::AnyRow};

use super::Connection;
use super::engine::Engine;

/// A statement, and the values for its places in their order.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

#[derive(Debug)]
pub(super) enum Value {
    Number(Option<i64>),
    Text(String),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Statement {
    /// Carries it out alone, and gives what `columns` were in each row that it changed.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn returning<T>(
        mut self,
        columns: &str,
        tx: &mut Connection,
    ) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        self.sql.push_str(" RETURNING ");
        self.sql.push_str(columns);
        let arguments = arguments(self.values)?;
        sqlx::query_as_with(AssertSqlSafe(self.sql), arguments)
            .fetch_all(tx)
            .await
    }
}

/// Carries them out in their order, and tells how many rows each has changed. What SQLite is asked crosses
/// to another thread and back, which takes longer than a statement: it gets them all at once, as the
/// driver for it, and no other, can take them.
///
/// # Errors
/// The database's.
pub(super) async fn carry_out(
    engine: Engine,
    tx: &mut Connection,
    statements: Vec<Statement>,
) -> Result<Vec<u64>, sqlx::Error> {
    let mut changed = Vec::with_capacity(statements.len());
    for Statement { sql, values } in trips(engine, statements) {
        let query = sqlx::query_with::<Any, _>(AssertSqlSafe(sql), arguments(values)?);
        let mut steps = tx.fetch_many(query);
        while let Some(step) = steps.try_next().await? {
            if let Either::Left(result) = step {
                changed.push(result.rows_affected());
            }
        }
    }
    Ok(changed)
}

fn trips(engine: Engine, statements: Vec<Statement>) -> Vec<Statement> {
    match engine {
        Engine::Postgres => statements,
        Engine::Sqlite if statements.is_empty() => statements,
        Engine::Sqlite => {
            let (texts, values): (Vec<_>, Vec<_>) = statements
                .into_iter()
                .map(|statement| (statement.sql, statement.values))
                .unzip();
            vec![Statement {
                sql: texts.join(";\n"),
                values: values.into_iter().flatten().collect(),
            }]
        }
    }
}

fn arguments(values: Vec<Value>) -> Result<AnyArguments, sqlx::Error> {
    let mut arguments = AnyArguments::default();
    for value in values {
        match value {
            Value::Number(number) => arguments.add(number),
            Value::Text(text) => arguments.add(text),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}
