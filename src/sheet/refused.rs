//! Writes refused rows as a CSV file, to be mended and imported again.

use std::io::Write;

use crate::model::{Refusal, neutral_cell};

/// A CSV file of refusals: line, column, value, reason, remedy, raw.
pub struct RefusedRows<W: Write> {
    out: csv::Writer<W>,
}

impl<W: Write> RefusedRows<W> {
    /// Begins the file with its header.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(out: W) -> csv::Result<Self> {
        let mut out = csv::Writer::from_writer(out);
        out.write_record(["line", "column", "value", "reason", "remedy", "raw"])?;
        Ok(Self { out })
    }

    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, refusal: &Refusal) -> csv::Result<()> {
        let line = refusal.line.to_string();
        let cells = [
            &line,
            &refusal.column,
            &refusal.value,
            &refusal.reason,
            &refusal.remedy,
            &refusal.raw,
        ];
        let cells = cells.map(|cell| neutral_cell(cell));
        self.out
            .write_record(cells.iter().map(|cell| cell.as_bytes()))
    }

    /// Writes what is held back and hands the file back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> std::io::Result<W> {
        self.out
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_refused_row_is_a_formula() {
        let refusal = Refusal {
            line: 3,
            column: "ip".to_owned(),
            value: "=cmd|'/c calc'!A1".to_owned(),
            reason: "\"=cmd\" is not an address".to_owned(),
            remedy: "write 192.0.2.1".to_owned(),
            raw: "@x,\"y".to_owned(),
        };
        let mut rows = RefusedRows::begin(Vec::new()).unwrap();
        rows.write(&refusal).unwrap();
        assert_eq!(
            String::from_utf8(rows.finish().unwrap()).unwrap(),
            "line,column,value,reason,remedy,raw\n\
             3,ip,'=cmd|'/c calc'!A1,\"\"\"=cmd\"\" is not an address\",write 192.0.2.1,\"'@x,\"\"y\"\n"
        );
    }
}
