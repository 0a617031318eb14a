//! Whose fault a database error is, by its SQLSTATE.
//!
//! Source: "`PostgreSQL` Error Codes", appendix A of `PostgreSQL`'s documentation. The first two
//! characters are the class; what is not listed here is unclear.

/// Whose fault it is that a row was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The message's contents: every attempt would end the same way.
    Message,
    /// The database, our permissions or its schema: it passes, or somebody fixes it.
    Database,
    /// The code alone does not say: does the database accept another row?
    Unclear,
}

/// Codes that mean something other than their class.
const CODES: [(&str, Fault); 4] = [
    // Protocol violation: also what the server calls a parameter that it cannot read.
    ("08P01", Fault::Unclear),
    // Out of memory, a configured limit: the server's, or this row's.
    ("53200", Fault::Unclear),
    ("53400", Fault::Unclear),
    // Query cancelled: by an operator, or because this row took longer than statement_timeout.
    ("57014", Fault::Unclear),
];

const CLASSES: [(&str, Fault); 14] = [
    // Cardinality violation, data exception (encodings, NUL, too long, out of range, not JSON),
    // integrity constraint violation, WITH CHECK OPTION violation.
    ("21", Fault::Message),
    ("22", Fault::Message),
    ("23", Fault::Message),
    ("44", Fault::Message),
    // Program limit exceeded, such as an index entry that is too large.
    ("54", Fault::Message),
    // Connection exception.
    ("08", Fault::Database),
    // Invalid transaction state, such as a server that is read-only after a failover.
    ("25", Fault::Database),
    // Invalid authorization, invalid catalog name.
    ("28", Fault::Database),
    ("3D", Fault::Database),
    // Transaction rollback: deadlock, serialization.
    ("40", Fault::Database),
    // Insufficient resources.
    ("53", Fault::Database),
    // Object not in prerequisite state, such as a lock that is not available.
    ("55", Fault::Database),
    // Operator intervention, system error.
    ("57", Fault::Database),
    ("58", Fault::Database),
];

/// Returns whose fault `code` is.
pub(crate) fn fault(code: &str) -> Fault {
    let known = |table: &[(&str, Fault)], key: &str| {
        table.iter().find(|(name, _)| *name == key).map(|(_, fault)| *fault)
    };
    known(&CODES, code).or_else(|| known(&CLASSES, code.get(..2)?)).unwrap_or(Fault::Unclear)
}

/// Reports whether the server is there but said no: a wrong login (class 28) or database (class
/// 3D), which does not fix itself.
pub(crate) fn wrong_address(code: &str) -> bool {
    matches!(code.get(..2), Some("28" | "3D"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_their_fault() {
        for (code, expect) in [
            ("22021", Fault::Message),
            ("22P05", Fault::Message),
            ("22P02", Fault::Message),
            ("22001", Fault::Message),
            ("23505", Fault::Message),
            ("23514", Fault::Message),
            ("54000", Fault::Message),
            ("08006", Fault::Database),
            ("08P01", Fault::Unclear),
            ("25006", Fault::Database),
            ("28P01", Fault::Database),
            ("40P01", Fault::Database),
            ("53100", Fault::Database),
            ("53200", Fault::Unclear),
            ("53300", Fault::Database),
            ("57P01", Fault::Database),
            ("57014", Fault::Unclear),
            ("42P01", Fault::Unclear),
            ("42501", Fault::Unclear),
            ("P0001", Fault::Unclear),
            ("XX000", Fault::Unclear),
            ("", Fault::Unclear),
            ("é", Fault::Unclear),
        ] {
            assert_eq!(fault(code), expect, "{code:?}");
        }
    }
}
