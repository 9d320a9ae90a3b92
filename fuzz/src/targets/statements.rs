//! Statements to break: one of every sort that the walk knows, a catalogue for their names, and texts at the limits.

use std::sync::OnceLock;

use sql::Catalog;
use sql::catalog::Builder;

use crate::mutate::mutate;
use crate::random::Random;

/// One statement in each line, of every sort that `sql::analyze` has a case for.
const STATEMENTS: &str = include_str!("statements.sql");

/// Words that change what a statement is; put in anywhere.
const WORDS: [&str; 36] = [
    "SELECT ",
    " FROM ",
    " WHERE ",
    " JOIN ",
    " NATURAL ",
    " USING (id) ",
    " ON ",
    " AS ",
    " UNION ",
    " EXCEPT ALL ",
    "WITH RECURSIVE ",
    " LATERAL ",
    "(",
    ")",
    ", ",
    ".",
    ".*",
    "*",
    "::",
    "[1]",
    " OVER ",
    " FILTER ",
    " RETURNING *",
    "customers",
    "email",
    "public.",
    "$1",
    "'x'",
    "42",
    "NULL",
    "CASE WHEN ",
    " END ",
    "ARRAY[",
    "]",
    "; ",
    " IN ",
];

/// A few relations of every kind, with what hangs on them.
pub(super) fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| {
        let mut builder = Builder::new();
        for line in CATALOGUE.lines() {
            let mut words = line.split('|');
            let query = words.next().unwrap_or_default();
            let cells: Vec<Option<&str>> = words.map(|word| (word != "NULL").then_some(word)).collect();
            assert!(builder.row(query, &cells).is_ok(), "{line}");
        }
        builder.finish(1)
    })
}

const CATALOGUE: &str = "settings|search_path|\"$user\", public
relations|20000|public|customers|r|f
columns|20000|1|id|23|t
columns|20000|2|name|25|f
columns|20000|3|email|25|f
columns|20000|4|ssn|25|f
columns|20000|5|tags|1009|f
columns|20000|6|grp|25|f
relations|20001|public|orders|r|f
columns|20001|1|id|23|t
columns|20001|2|total|1700|f
columns|20001|3|status|25|f
relations|20002|public|notes|r|f
columns|20002|1|id|23|t
columns|20002|2|body|25|f
relations|20003|public|inbox|r|f
columns|20003|1|id|23|t
columns|20003|2|body|25|f
relations|20010|public|parts|p|f
columns|20010|1|at|25|f
columns|20010|2|val|25|f
relations|20011|public|parts_1|r|t
columns|20011|1|at|25|f
columns|20011|2|val|25|f
inherits|20011|20010
relations|20005|public|v_contacts|v|f
columns|20005|1|id|23|f
columns|20005|2|contact|25|f
views|20005| SELECT customers.id, customers.email AS contact FROM public.customers;
relations|20012|public|v_loop|v|f
columns|20012|1|x|25|f
views|20012| SELECT v_loop.x FROM public.v_loop;
relations|20007|public|seq|S|f
functions|30000|public|purge_customers|f|v|plpgsql|0|0|f|NULL|NULL|
functions|30001|public|get_email|f|s|sql|1|0|f|NULL|NULL|
functions|30003|public|trg_inbox|f|v|plpgsql|0|0|f|NULL|NULL|
functions|30004|public|op_purge|f|v|plpgsql|2|0|f|NULL|NULL|
functions|30005|public|upper|f|v|plpgsql|1|0|f|NULL|NULL|
operators|public|<-!->|30004|23|23
triggers|20003|5|30003|public|trg_inbox
rules|20002|2|f|CREATE RULE r AS ON UPDATE TO public.notes DO DELETE FROM public.customers;
foreign_keys|20001|20000|c|c|{1}
generated|20011|2|1
types|50000|public|mood|e|0|0|0";

/// A statement, whole or broken, alone or after another; now and then one at a limit.
pub(super) fn text(random: &mut Random) -> Vec<u8> {
    if random.one_in(400) {
        return giant(random).into_bytes();
    }
    let all: Vec<&str> = STATEMENTS.lines().collect();
    let mut text = random.pick(&all).as_bytes().to_vec();
    if random.one_in(8) {
        text.extend_from_slice(b"; ");
        text.extend_from_slice(random.pick(&all).as_bytes());
    }
    for _ in 0..random.below(4) {
        splice(random, &mut text, random.clone().pick(&all).as_bytes());
    }
    if random.one_in(4) {
        let donor = random.pick(&all);
        mutate(random, &mut text, donor.as_bytes());
    }
    text
}

/// Changes one place between words: a word of SQL goes in, a piece of another statement, or some words go.
fn splice(random: &mut Random, text: &mut Vec<u8>, donor: &[u8]) {
    let ends = |text: &[u8]| -> Vec<usize> {
        let blanks = text.iter().enumerate().filter(|(_, byte)| matches!(byte, b' ' | b'(' | b')' | b','));
        blanks.map(|(at, _)| at).chain([0, text.len()]).collect()
    };
    let places = ends(text);
    let (a, b) = (random.pick(&places), random.pick(&places));
    match random.below(4) {
        0 => drop(text.splice(a..a, random.pick(&WORDS).bytes())),
        1 => drop(text.drain(a.min(b)..a.max(b).min(a.min(b) + 40))),
        2 => {
            let piece = text.get(a.min(b)..a.max(b)).unwrap_or_default().to_vec();
            drop(text.splice(a..a, piece));
        }
        _ => {
            let places = ends(donor);
            let (from, to) = (random.pick(&places), random.pick(&places));
            let piece = donor.get(from.min(to)..from.max(to)).unwrap_or_default().to_vec();
            drop(text.splice(a..a, piece));
        }
    }
}

/// A text that is long, deep or wide: below, at and above what the scan lets through.
fn giant(random: &mut Random) -> String {
    let count = random.pick(&[150, 199, 201, 1_000, 2_900, 19_000, 100_000]);
    let few = count.min(3_100);
    let nest = |open: &str, inside: &str, close: &str, times: usize| open.repeat(times) + inside + &close.repeat(times);
    match random.below(19) {
        0 => format!("SELECT {}", nest("(", "1", ")", few)),
        1 => format!("SELECT {} FROM customers", vec!["email"; few].join(" || ")),
        2 => (1..=count).map(|at| format!("${at}")).collect::<Vec<_>>().join(",").replacen('$', "SELECT $", 1),
        3 => format!("INSERT INTO notes(id, body) VALUES {}", vec!["(1, 'some text')"; count.min(60_000)].join(", ")),
        4 => format!("SELECT * FROM customers WHERE id IN ({})", vec!["12345678"; count].join(",")),
        5 => nest("SELECT * FROM (", "SELECT email FROM customers", ") AS s", few.min(260)),
        6 => vec!["SELECT email FROM customers"; few].join(" UNION ALL "),
        7 => format!("SELECT * FROM {}", vec!["customers"; few.min(1_100)].join(" NATURAL JOIN ")),
        8 => {
            let ctes: Vec<String> =
                (1..few.min(900)).map(|at| format!("c{at} AS (SELECT * FROM c{} a, c{} b)", at - 1, at / 2)).collect();
            format!("WITH RECURSIVE c0 AS (SELECT email FROM customers), {} SELECT * FROM c1", ctes.join(", "))
        }
        9 => format!("SELECT {} FROM customers", nest("CASE WHEN ", "true", " THEN email END", few.min(260))),
        10 => format!(
            "SELECT * FROM customers WHERE {}",
            vec!["(email = 'x' OR id = 1)"; count.min(12_000)].join(" AND ")
        ),
        11 => format!("SELECT 1 /* {} */", "x".repeat(count * 11)),
        12 => nest("SELECT (", "SELECT max(email) FROM customers", ")", few.min(260)),
        13 => vec!["SELECT email FROM customers"; few.min(300)].join("; "),
        14 => format!("SELECT {} FROM customers", vec!["customers.*"; count.min(50_000)].join(", ")),
        15 => format!(
            "SELECT {} FROM {}",
            vec!["email"; count.min(40_000)].join(", "),
            vec!["customers"; count.min(40_000)].join(", ")
        ),
        16 => format!(
            "SELECT {} FROM {}",
            vec!["*"; count.min(40_000)].join(", "),
            vec!["v_contacts"; count.min(40_000)].join(", ")
        ),
        17 => format!(
            "WITH a AS (SELECT {} FROM customers) SELECT a.email FROM {}",
            vec!["*"; count.min(2_000)].join(", "),
            vec!["a"; count.min(40_000)].join(", ")
        ),
        _ => format!("SELECT '{}'", "é'' ".repeat(count)),
    }
}
