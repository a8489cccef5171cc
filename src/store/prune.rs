//! What has been kept long enough is taken away, in small steps; what proves a letter stays.

use serde_json::json;
use sqlx::AssertSqlSafe;

use super::audit::Entry;
use super::prunable::{Amount, Old, Retention, SEEN_TO};
use super::{Error, Store};
use crate::model::{Progress, Timestamp};

/// Rows looked at in one transaction.
const PAGE: i64 = 1_000;

impl Store {
    /// Takes it away, a page at a time; stopped or killed it goes on from there the next time. The room is used
    /// again; until then traces are left in it.
    ///
    /// # Errors
    /// The database's; what is gone by then is gone.
    pub async fn prune(
        &self,
        before: Retention,
        by: &str,
        now: Timestamp,
        progress: &Progress,
    ) -> Result<Amount, Error> {
        let mut gone = Amount::default();
        for one in self.ended_before(before.evidence, "thinned_at").await? {
            self.begin_pruning(&one, "evidence", by, now).await?;
            let amount = self.thin(&one, progress).await?;
            gone.add(&amount);
            if progress.is_stopped() {
                return Ok(gone);
            }
            self.end_pruning(&one, "thinned_at", &amount, (by, now))
                .await?;
        }
        for one in self.ended_before(before.letters, "letters_gone_at").await? {
            self.begin_pruning(&one, "letters", by, now).await?;
            let amount = Amount {
                letters: self.empty_letters(&one, progress).await?,
                ..Amount::default()
            };
            gone.add(&amount);
            if progress.is_stopped() {
                return Ok(gone);
            }
            self.end_pruning(&one, "letters_gone_at", &amount, (by, now))
                .await?;
        }
        if let Some(at) = before.incoming {
            gone.incoming += self.forget_mail(at, by, now, progress).await?;
        }
        Ok(gone)
    }

    /// Writes the tables anew that [`prune`](Self::prune) takes away from: the room is given back, and no trace of
    /// what was taken away is left in it. Whoever writes waits meanwhile.
    ///
    /// # Errors
    /// The database's; a disk without room for a second copy is one.
    pub async fn compact(&self) -> Result<(), Error> {
        let mut connection = self.write.acquire().await?;
        for sql in self.engine.compact() {
            sqlx::query(*sql).execute(&mut *connection).await?;
        }
        Ok(())
    }

    /// When a letter lost its words, and its attachments; `None`: it has them.
    ///
    /// # Errors
    /// The database's.
    pub async fn gone_of(&self, letter: i64) -> Result<[Option<Timestamp>; 2], Error> {
        let (words, files): (Option<i64>, Option<i64>) = sqlx::query_as(
            "SELECT letters_gone_at, thinned_at FROM campaign
             WHERE id = (SELECT campaign_id FROM letter WHERE id = $1)",
        )
        .bind(letter)
        .fetch_one(&self.read)
        .await?;
        Ok([words, files].map(|at| at.map(Timestamp)))
    }

    /// From here on nothing of it can be sent again.
    async fn begin_pruning(
        &self,
        one: &Old,
        what: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.act(by, now).await?;
        sqlx::query("UPDATE campaign SET thinning_at = COALESCE(thinning_at, $2) WHERE id = $1")
            .bind(one.id)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        let entry = Entry::new("prune", one.campaign.as_str())
            .before(json!({ "ended_at": one.ended_at }))
            .after(json!({ "removes": what }));
        tx.written(entry).await
    }

    async fn end_pruning(
        &self,
        one: &Old,
        column: &str,
        amount: &Amount,
        (by, now): (&str, Timestamp),
    ) -> Result<(), Error> {
        let mut tx = self.act(by, now).await?;
        let sql = format!("UPDATE campaign SET {column} = $2 WHERE id = $1");
        sqlx::query(AssertSqlSafe(sql))
            .bind(one.id)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        tx.written(Entry::new("prune end", one.campaign.as_str()).after(amount))
            .await
    }

    async fn thin(&self, one: &Old, progress: &Progress) -> Result<Amount, Error> {
        let mut gone = Amount::default();
        let (mut first, mut fingerprint) = (Vec::new(), i64::MIN);
        while !progress.is_stopped() {
            let page: Vec<(i64, Vec<u8>, i64)> = sqlx::query_as(
                "SELECT id, first, fingerprint FROM suspect
                 WHERE campaign_id = $1 AND (first, fingerprint) > ($2, $3)
                 ORDER BY first, fingerprint LIMIT +$4",
            )
            .bind(one.id)
            .bind(first.clone())
            .bind(fingerprint)
            .bind(PAGE)
            .fetch_all(&self.read)
            .await?;
            let Some(last) = page.last() else {
                break;
            };
            (first, fingerprint) = (last.1.clone(), last.2);
            let ids: Vec<i64> = page.iter().map(|(id, ..)| *id).collect();
            let [suspects, samples] = self
                .each_of(
                    &ids,
                    [
                        "UPDATE suspect SET evidence = '', port = NULL WHERE (evidence <> '' OR port IS NOT NULL) AND id",
                        "DELETE FROM sample WHERE suspect_id",
                    ],
                )
                .await?;
            gone.suspects += suspects;
            gone.samples += samples;
            progress.add(ids.len() as u64);
        }
        let refusals = "SELECT refusal.id FROM refusal JOIN import ON import.id = import_id
                        WHERE campaign_id = $1 AND refusal.id > $2 ORDER BY refusal.id LIMIT +$3";
        let empty =
            "UPDATE refusal SET raw = '', value = '' WHERE (raw <> '' OR value <> '') AND id";
        gone.refusals = self.page_by_page(one, refusals, empty, progress).await?;
        let letters =
            "SELECT id FROM letter WHERE campaign_id = $1 AND id > $2 ORDER BY id LIMIT +$3";
        let content = self.engine.no_bytes();
        let empty = format!(
            "UPDATE attachment SET content = {content} WHERE LENGTH(content) > 0 AND letter_id"
        );
        gone.attachments = self.page_by_page(one, letters, &empty, progress).await?;
        Ok(gone)
    }

    async fn empty_letters(&self, one: &Old, progress: &Progress) -> Result<u64, Error> {
        let letters =
            "SELECT id FROM letter WHERE campaign_id = $1 AND id > $2 ORDER BY id LIMIT +$3";
        let empty = "UPDATE letter SET body_text = '', body_html = '' WHERE (body_text <> '' OR body_html <> '') AND id";
        self.page_by_page(one, letters, empty, progress).await
    }

    /// What changes in the rows that `page` finds, behind the key $2.
    async fn page_by_page(
        &self,
        one: &Old,
        page: &'static str,
        change: &str,
        progress: &Progress,
    ) -> Result<u64, Error> {
        let (mut after, mut changed) = (0, 0);
        while !progress.is_stopped() {
            let ids: Vec<i64> = sqlx::query_scalar(page)
                .bind(one.id)
                .bind(after)
                .bind(PAGE)
                .fetch_all(&self.read)
                .await?;
            let Some(last) = ids.last() else {
                break;
            };
            after = *last;
            let [rows] = self.each_of(&ids, [change]).await?;
            changed += rows;
            progress.add(ids.len() as u64);
        }
        Ok(changed)
    }

    /// Each of the changes over the rows of these numbers, all in one transaction; how many rows each touched.
    async fn each_of<const N: usize>(
        &self,
        ids: &[i64],
        changes: [&str; N],
    ) -> Result<[u64; N], Error> {
        let mut tx = self.begin().await?;
        let mut touched = [0; N];
        for (change, touched) in changes.iter().zip(&mut touched) {
            let sql = format!(
                "{change} IN (VALUES {})",
                self.engine.rows("", 1, ids.len())
            );
            let query = ids
                .iter()
                .fold(sqlx::query(AssertSqlSafe(sql)), |query, id| query.bind(*id));
            *touched = query.execute(&mut *tx).await?.rows_affected();
        }
        tx.commit().await?;
        Ok(touched)
    }

    async fn forget_mail(
        &self,
        before: Timestamp,
        by: &str,
        now: Timestamp,
        progress: &Progress,
    ) -> Result<u64, Error> {
        let old = format!("SELECT id FROM incoming WHERE {SEEN_TO} ORDER BY came_at, id LIMIT +$2");
        let empty = format!(
            "UPDATE incoming SET message = {}, gone_at = {} WHERE gone_at IS NULL AND id",
            self.engine.no_bytes(),
            now.0
        );
        let mut gone = 0;
        while !progress.is_stopped() {
            let ids: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(old.clone()))
                .bind(before.0)
                .bind(PAGE)
                .fetch_all(&self.read)
                .await?;
            if ids.is_empty() {
                break;
            }
            if gone == 0 {
                let tx = self.act(by, now).await?;
                let entry = Entry::new("prune", "incoming");
                tx.written(entry.before(json!({ "came_before": before })))
                    .await?;
            }
            let [messages, _] = self
                .each_of(
                    &ids,
                    [&empty, "UPDATE reading SET body = '' WHERE incoming_id"],
                )
                .await?;
            gone += messages;
            progress.add(ids.len() as u64);
        }
        if gone > 0 {
            let tx = self.act(by, now).await?;
            let entry = Entry::new("prune end", "incoming");
            tx.written(entry.after(json!({ "incoming": gone }))).await?;
        }
        Ok(gone)
    }
}
