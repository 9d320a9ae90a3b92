//! Bodies of functions that call each other: bounded in depth and in time, and never taken for harmless where they are not followed.

use std::time::{Duration, Instant};

use super::{pairs, row};
use crate::analysis::{Caps, Context};
use crate::catalog::{Builder, Catalog};
use crate::{Fresh, analyze};

/// Functions `f0` and on, each with the body that `body` gives for its number; a table `t(id, email)` with a policy that calls `f0`.
fn world(count: usize, body: impl Fn(usize) -> String) -> Catalog {
    let mut builder = Builder::new();
    for at in 0..count {
        let definition = format!(
            "CREATE OR REPLACE FUNCTION public.f{at}() RETURNS boolean LANGUAGE sql AS $function$ {} $function$",
            body(at)
        );
        let (oid, name) = ((30_000 + at).to_string(), format!("f{at}"));
        let cells = [&oid, "public", &name, "f", "v", "sql", "0", "0", "f", "NULL", &definition, ""];
        row(&mut builder, "functions", &cells);
    }
    row(&mut builder, "relations", &["20000", "public", "t", "r", "f"]);
    row(&mut builder, "columns", &["20000", "1", "id", "23", "f"]);
    row(&mut builder, "columns", &["20000", "2", "email", "25", "f"]);
    row(&mut builder, "policies", &["20000", "*", "public.f0()", "NULL"]);
    row(&mut builder, "relations", &["20001", "public", "v", "v", "f"]);
    row(&mut builder, "columns", &["20001", "1", "ok", "16", "f"]);
    row(&mut builder, "views", &["20001", " SELECT public.f0() AS ok;"]);
    builder.finish(1)
}

fn ask(catalog: &Catalog, text: &str) -> Vec<String> {
    let path = vec!["public".to_owned()];
    let start = Instant::now();
    let found = pairs(&analyze(
        text,
        &Context { catalog, search_path: &path, fresh: &Fresh::default(), caps: Caps::default() },
    ));
    assert!(start.elapsed() < Duration::from_secs(20), "{text}: {:?}", start.elapsed());
    found
}

fn on_a_large_stack(body: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(crate::STACK).spawn(body).unwrap().join().unwrap();
}

#[test]
fn what_is_called_twice_is_found_out_once() {
    on_a_large_stack(|| {
        let catalog = world(20, |at| match at {
            19 => "SELECT true".to_owned(),
            _ => format!("SELECT public.f{0}() AND public.f{0}()", at + 1),
        });
        assert_eq!(ask(&catalog, "SELECT f0()"), ["read"]);
        assert_eq!(ask(&catalog, "SELECT ok FROM v"), ["read public.v"]);
        // Nothing is kept of what is found out inside a policy, so it is followed less far.
        let guarded =
            ask(&world(20, |at| format!("SELECT public.f{0}() AND public.f{0}()", at + 1)), "SELECT id FROM t");
        assert!(guarded.iter().any(|pair| pair.starts_with("execute function:public.f")), "{guarded:?}");
    });
}

#[test]
fn circles_and_long_chains_stay_execute() {
    on_a_large_stack(|| {
        let circle = world(3, |at| format!("SELECT public.f{}()", (at + 1) % 3));
        assert_eq!(ask(&circle, "SELECT f0()"), ["execute function:public.f0"]);
        let through_a_view = world(1, |_| "SELECT ok FROM public.v".to_owned());
        let found = ask(&through_a_view, "SELECT f0()");
        assert!(found.contains(&"execute function:public.f0".to_owned()), "{found:?}");
        let through_a_policy = world(1, |_| "SELECT EXISTS (SELECT FROM public.t)".to_owned());
        let found = ask(&through_a_policy, "SELECT id FROM t");
        assert!(found.iter().all(|pair| pair.ends_with("public.t") || pair.starts_with("execute")), "{found:?}");
        let chain = world(60, |at| {
            if at == 59 { "DELETE FROM public.t".to_owned() } else { format!("SELECT public.f{}()", at + 1) }
        });
        let found = ask(&chain, "SELECT f0()");
        assert!(found.iter().any(|pair| pair.starts_with("execute function:public.f")), "{found:?}");
        assert!(ask(&chain, "SELECT f58()").contains(&"delete public.t".to_owned()));
    });
}

#[test]
fn a_body_that_is_no_query_stays_execute() {
    for body in [
        "",
        "SELECT",
        "SELEC 1",
        "SELECT 1; DROP TABLE public.t",
        "COPY public.t TO '/tmp/x'",
        "SELECT 1 INTO public.made",
    ] {
        let found = ask(&world(1, |_| body.to_owned()), "SELECT f0()");
        // Without a statement nothing is done, and nothing is known of what it gives.
        let understood = matches!(body, "" | "SELECT");
        assert_eq!(found.contains(&"execute function:public.f0".to_owned()), !understood, "{body}: {found:?}");
    }
}
