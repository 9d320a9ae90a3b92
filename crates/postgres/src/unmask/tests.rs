//! What comments ask for, and which are refused.

use super::*;

fn names(text: &str) -> Result<Vec<String>, String> {
    let columns = asked(text).map_err(|why| why.to_string())?;
    Ok(columns.into_iter().map(|it| format!("{:?}", (it.schema, it.table, it.column))).collect())
}

#[test]
fn columns_are_read_as_sql_reads_names() {
    let email = r#"("public", "customers", "email")"#;
    for text in [
        "/* sallyport: unmask public.customers.email */ SELECT 1",
        "/*sallyport:unmask public.customers.email*/SELECT 1",
        "\n  /* Sallyport: UNMASK Public . CUSTOMERS\t. email\n*/\nSELECT 1",
        "/* sallyport: unmask \"public\".customers.\"email\", public.customers.email */",
    ] {
        assert_eq!(names(text), Ok(vec![email.to_owned()]), "{text}");
    }
    assert_eq!(
        names(r#"/* sallyport: unmask s.T$1._é, "S ""x"".y"."a,b"."*c" */ SELECT"#),
        Ok(vec![r#"("s", "t$1", "_é")"#.to_owned(), r#"("S \"x\".y", "a,b", "*c")"#.to_owned()])
    );
}

#[test]
fn other_comments_are_only_comments() {
    for text in [
        "",
        "/",
        "/*",
        "/* sallyport */ SELECT 1",
        "/* sallyport unmask public.customers.email */ SELECT 1",
        "/* see sallyport: unmask public.customers.email */ SELECT 1",
        "/*+ sallyport: unmask public.customers.email */ SELECT 1",
        "/* /* sallyport: unmask public.customers.email */ */ SELECT 1",
        "/* other */ /* sallyport: unmask public.customers.email */ SELECT 1",
        "SELECT /* sallyport: unmask public.customers.email */ 1",
        "-- /* sallyport: unmask public.customers.email */\nSELECT 1",
        "-- sallyport: unmask public.customers.email\nSELECT 1",
        "'/* sallyport: unmask public.customers.email */'",
        "/* säällyport: x */",
    ] {
        assert_eq!(names(text), Ok(Vec::new()), "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_an_error() {
    for (list, expected) in [
        ("unmask", "a name is missing at the end"),
        ("", "`` is no word of the gateway: write `unmask`"),
        ("unmasked a.b.c", "`unmasked` is no word"),
        ("show a.b.c", "`show` is no word"),
        ("unmask customers.email", "`customers.email` is not complete: write schema.table.column"),
        ("unmask email", "`email` is not complete"),
        ("unmask db.public.customers.email", "`db.public.customers.email` has too many parts"),
        ("unmask public.customers.*", "`*` is no column"),
        ("unmask public.customers.\"*\"", "`*` is no column"),
        ("unmask *.email", "`*` is no column"),
        ("unmask public.cust*.email", "`*` is no column"),
        ("unmask a.b.c d.e.f", "a comma is missing at `d.e.f`"),
        ("unmask a.b.c,", "a name is missing at the end"),
        ("unmask a..c", "a name is missing at `.c`"),
        ("unmask a.b.1c", "a name is missing at `1c`"),
        ("unmask a.b.\"\"", "a name is missing"),
        ("unmask a.b.\"c", "a quoted name does not end"),
        ("unmask a.b.c; d", "a comma is missing at `; d`"),
        ("unmask \"?\".b.c", "is no column"),
        ("unmask a.b.c /* x", "a comment inside of the comment"),
    ] {
        let text = format!("/* sallyport: {list} */ SELECT 1");
        let found = names(&text);
        assert!(found.as_ref().is_err_and(|why| why.contains(expected)), "{list}: {found:?}");
    }
    assert!(names("/* sallyport: unmask a.b.c").is_err_and(|why| why.contains("does not end")));
    let many = |count: usize| {
        let list: Vec<String> = (0..count).map(|n| format!("a.b.c{n}")).collect();
        names(&format!("/* sallyport: unmask {} */", list.join(", ")))
    };
    assert_eq!(many(MAX_COLUMNS).map(|all| all.len()), Ok(MAX_COLUMNS));
    assert!(many(MAX_COLUMNS + 1).is_err_and(|why| why.contains("more than 16 columns")));
}

#[test]
fn columns_are_resolved_with_what_is_below_them() {
    let mut builder = sql::catalog::Builder::new();
    let rows: [(&str, &[&str]); 15] = [
        ("relations", &["20000", "public", "customers", "r", "f"]),
        ("columns", &["20000", "1", "email", "25", "f"]),
        ("columns", &["20000", "2", "name", "25", "f"]),
        ("relations", &["20001", "public", "v", "v", "f"]),
        ("columns", &["20001", "1", "contact", "25", "f"]),
        ("columns", &["20001", "2", "both", "25", "f"]),
        ("columns", &["20001", "3", "whole", "114", "f"]),
        ("columns", &["20001", "4", "one", "23", "f"]),
        (
            "views",
            &[
                "20001",
                "SELECT email AS contact, email || name AS both, to_json(c) AS whole, 1 AS one FROM public.customers c",
            ],
        ),
        ("relations", &["20002", "public", "parts", "p", "f"]),
        ("columns", &["20002", "1", "val", "25", "f"]),
        ("relations", &["20003", "public", "parts_1", "r", "t"]),
        ("columns", &["20003", "1", "val", "25", "f"]),
        ("inherits", &["20003", "20002"]),
        ("relations", &["20004", "other", "customers", "r", "f"]),
    ];
    for (query, cells) in rows {
        let cells: Vec<Option<&str>> = cells.iter().map(|cell| Some(*cell)).collect();
        builder.row(query, &cells).unwrap();
    }
    let catalog = builder.finish(1);
    let found = |list: &str| {
        let asked = asked(&format!("/* sallyport: unmask {list} */")).unwrap();
        resolve(asked, &catalog).map_err(|why| why.to_string()).map(|found| {
            found
                .iter()
                .map(|it| it.all_names().map(ToString::to_string).collect::<Vec<_>>().join(" "))
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(found("public.customers.email").unwrap(), ["public.customers.email"]);
    assert_eq!(
        found("public.v.contact").unwrap(),
        ["public.v.contact public.customers.email", "public.customers.email public.customers.email"]
    );
    assert_eq!(found("public.v.both").unwrap(), ["public.v.both", "public.customers.email", "public.customers.name"]);
    assert_eq!(found("public.v.one").unwrap(), ["public.v.one"]);
    assert!(found("public.v.whole").unwrap_err().contains("cannot be told what public.v.whole is made of"));
    assert_eq!(found("public.parts_1.val").unwrap(), ["public.parts_1.val public.parts.val"]);
    assert_eq!(found("public.parts.val").unwrap(), ["public.parts.val"]);
    for missing in
        ["public.customers.phone", "other.customers.email", "none.customers.email", "public.\"Customers\".email"]
    {
        assert!(found(missing).unwrap_err().contains("there is no column"), "{missing}");
    }
}
