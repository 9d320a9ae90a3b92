//! What a policy says of programs: added, made stricter, never made harmless where nobody can say that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeSet;

use model::{Effect, EffectSet, Tool, ToolPart};
use proptest::prelude::*;
use sallyport_shell::{Tools, analyze, analyze_with};

const HONEST: &str = include_str!("honest.txt");

/// An entry: command, effects with commas, options (nothing for none).
fn tool(command: &str, does: &str, options: &str) -> Tool {
    Tool {
        command: command.to_owned(),
        does: does.split(',').filter_map(Effect::parse).collect(),
        options: (!options.is_empty()).then(|| options.to_owned()),
        why: "of the house".to_owned(),
    }
}

fn tools(list: &[(&str, &str, &str)]) -> Tools {
    let list: Vec<Tool> = list.iter().map(|(command, does, options)| tool(command, does, options)).collect();
    Tools::new(&list).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn set(text: &str, tools: &Tools) -> BTreeSet<Effect> {
    analyze_with(text.as_bytes(), tools).actions.iter().map(|action| action.effect).collect()
}

fn effects(text: &str, tools: &Tools) -> String {
    set(text, tools).into_iter().map(Effect::as_str).collect::<Vec<_>>().join(",")
}

/// What is wrong with one entry.
fn fault(command: &str, does: &str, options: &str) -> (ToolPart, String) {
    let fault = Tools::new(&[tool(command, does, options)]).expect_err(command).pop().unwrap();
    (fault.part, fault.message)
}

fn check(tools: &Tools, table: &[(&str, &str)]) {
    let wrong: Vec<String> = table
        .iter()
        .filter(|(text, wanted)| effects(text, tools) != **wanted)
        .map(|(text, wanted)| format!("{text}: {} instead of {wanted}", effects(text, tools)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn programs_and_subcommands_are_added() {
    let tools = tools(&[
        ("deployctl", "execute", "-q --env="),
        ("deployctl status|show", "read", "-vn: --output= --since? --prune!delete,destroy"),
        ("deployctl restart|stop", "admin", ""),
        ("deployctl db dump", "read,export", ""),
        ("showmigrations", "read", "any"),
        ("oldtool", "read", "single -json -state= -x!write"),
        ("pattern", "read", "text -e:"),
    ]);
    check(
        &tools,
        &[
            ("deployctl status", "read"),
            ("deployctl show web-1 web-2", "read"),
            ("deployctl --env=prod -q status -v", "read"),
            ("deployctl --env prod status", "read"),
            ("deployctl status -vn 5 --output json --since=1h --since", "read"),
            ("deployctl status --prune", "read,delete,destroy"),
            // What is not listed is not known.
            ("deployctl status --force", "read,execute"),
            ("deployctl status -vx", "read,execute"),
            ("deployctl status --env=prod", "read,execute"),
            ("deployctl --force status", "read,execute"),
            ("deployctl status -n", "read,execute"),
            ("deployctl status --output -x", "read,execute"),
            ("deployctl", "execute"),
            ("deployctl frob", "execute"),
            ("deployctl db", "execute"),
            ("deployctl db drop", "execute"),
            ("deployctl restart web", "admin"),
            ("deployctl restart --now web", "admin,execute"),
            ("deployctl db dump", "read,export"),
            ("showmigrations --plan -x", "read"),
            ("oldtool -json -state=a b", "read"),
            ("oldtool -x", "read,write"),
            ("oldtool -jx", "read,execute"),
            ("pattern -e a/../b c/../d", "read"),
            // As for every program: where it is, what its words turn into, what is around it.
            ("/usr/local/bin/deployctl status", "read"),
            ("/opt/bin/deployctl status", "execute"),
            ("./deployctl status", "execute"),
            ("~/bin/deployctl status", "execute"),
            ("deployctl status a/../../etc", "read,unknown"),
            ("deployctl status /srv/*", "read"),
            ("deployctl status *", "read,execute,unknown"),
            ("showmigrations *", "read"),
            ("deployctl s*", "unknown"),
            ("deployctl restart *", "admin,execute,unknown"),
            ("deployctl status > x", "unknown"),
            ("deployctl status | grep x && deployctl stop web", "read,admin"),
            ("timeout 5 deployctl status", "read"),
            ("sh -c 'deployctl status'", "read"),
            ("sudo deployctl status", "read,admin"),
            ("echo a | xargs deployctl status", "read,unknown"),
            ("echo a | xargs showmigrations", "read,execute"),
            ("find . -exec deployctl stop {} +", "read,admin"),
            ("PATH=/tmp deployctl status", "read,unknown"),
            ("$(deployctl status)", "unknown"),
            ("deployctl status &", "read,execute"),
            ("deployctl status ~/.aws/credentials", "read"),
        ],
    );
    let analysis = analyze_with(b"deployctl status ~/.aws/credentials; deployctl restart", &tools);
    assert!(
        analysis
            .actions
            .iter()
            .any(|action| action.object.as_ref().is_some_and(|it| it.kind == model::ObjectKind::Path))
    );
    assert!(analysis.reasons.contains(&"deployctl: of the house".to_owned()), "{:?}", analysis.reasons);
}

#[test]
fn operands_and_globs_are_counted_as_in_the_tables() {
    let tools = tools(&[
        ("one", "read", "most:1!write"),
        ("none", "read", "most:0"),
        ("cleaner", "delete", "-f -r!destroy ~"),
        ("viewer", "read", "any most:2!write"),
        ("lister", "read", "+ -l -x!write need:-l,-x!admin"),
    ]);
    check(
        &tools,
        &[
            ("one a", "read"),
            ("one a b", "read,write"),
            ("one /a/*", "read,write"),
            ("none", "read"),
            ("none a", "read,execute"),
            ("cleaner *", "delete,destroy"),
            ("cleaner -f a", "delete"),
            // A glob is any number of operands, and so is what comes from elsewhere.
            ("viewer a b", "read"),
            ("viewer /a/*", "read,write"),
            ("viewer *", "read,write"),
            ("echo a b c | xargs viewer", "read,unknown"),
            ("lister -l -20", "read"),
            ("lister", "read,admin"),
            ("lister -x", "read,write"),
        ],
    );
}

#[test]
fn what_the_tables_know_is_refined() {
    let tools = tools(&[
        ("pg_dump", "read,export", "-d:h:U: --dbname="),
        ("vault status|read", "read", "--format="),
        ("kubectl get", "read,export", "--show-teams --as=!grant,admin"),
        ("kubectl houseplugin list", "read", "-o: ^"),
        ("terraform plan", "read,alter", "single -out=!write -no-color"),
        ("git log", "read,export", ""),
        ("sh", "execute", ""),
        ("find", "delete", ""),
        ("systemctl restart", "admin,execute", ""),
        ("rm", "delete,admin", "--house"),
    ]);
    check(
        &tools,
        &[
            ("pg_dump -d shop", "read,export"),
            ("pg_dump -f x", "read,execute,export"),
            ("/usr/bin/pg_dump", "read,export"),
            ("vault status", "read"),
            ("vault read --format=json a", "read"),
            ("vault delete a", "execute"),
            ("kubectl get pods --show-teams", "read,export"),
            ("kubectl get pods --as=x", "read,grant,admin,export"),
            ("kubectl --as=x get pods", "read,grant,export"),
            ("kubectl get pods --kubeconfig=x", "read,execute,export"),
            ("kubectl houseplugin list -n a -o b", "read"),
            ("kubectl houseplugin list --as=x", "read,grant"),
            ("kubectl houseplugin drop", "execute"),
            ("kubectl describe pods --show-teams", "read,execute"),
            ("kubectl describe pods", "read"),
            ("terraform plan -no-color", "read,alter"),
            ("terraform plan -out=x", "read,write,alter"),
            ("terraform plan -x", "read,alter,execute"),
            ("terraform show", "execute"),
            ("git log -3", "read,export"),
            ("git log --output=x", "read,write,export"),
            ("git status", "read"),
            ("sh -c ls", "read,execute"),
            ("sh x", "execute"),
            ("sh", "execute,unknown"),
            ("find . -name x", "read,delete"),
            ("find . -exec id ;", "delete,unknown"),
            ("systemctl restart a", "admin,execute"),
            ("rm -r --house a", "delete,destroy,admin"),
            ("rm --other a", "delete,admin,execute"),
        ],
    );
}

#[test]
fn what_runs_other_things_is_never_made_harmless() {
    for (command, does, options, part, says) in [
        ("sh", "read", "", ToolPart::Does, "`sh` runs what its words, files or input say: a policy can only add"),
        ("env", "read", "any", ToolPart::Options, "`env` runs what its words"),
        ("xargs", "read", "", ToolPart::Does, "`xargs` runs what its words"),
        ("find", "read", "", ToolPart::Does, "`find` is judged word by word"),
        ("sed", "write", "-i", ToolPart::Options, "no options"),
        ("sudo deployctl", "read", "", ToolPart::Command, "`sudo` runs what its words"),
        ("env FOO deployctl", "read", "", ToolPart::Command, "no policy can say what `env FOO deployctl` does"),
        ("python3", "read", "", ToolPart::Does, "`python3` runs what its words"),
        ("python3.14", "read", "", ToolPart::Command, "`python` runs what its words"),
        ("bash5 status", "read", "", ToolPart::Command, "`bash` runs"),
        ("vim", "read", "", ToolPart::Does, "add unknown"),
        ("ssh", "unknown", "", ToolPart::Does, "add tunnel"),
        ("eval", "read", "", ToolPart::Does, "add unknown"),
        ("psql", "read", "", ToolPart::Does, "add execute"),
        ("make", "read", "", ToolPart::Does, "add execute"),
        ("make status", "read", "", ToolPart::Command, "`make` runs what its words"),
        ("npm run|test", "read", "", ToolPart::Command, "`npm` runs"),
        ("git", "read", "", ToolPart::Does, "add execute"),
        ("git log", "read", "--ext-diff", ToolPart::Options, "no options"),
        ("git deploy-status", "read", "", ToolPart::Command, "`git` runs"),
        ("docker exec", "read", "", ToolPart::Does, "add execute"),
        ("docker compose exec", "read", "", ToolPart::Does, "add execute"),
        ("kubectl exec web", "read", "", ToolPart::Command, "`kubectl exec` runs"),
        ("kubectl edit", "alter", "", ToolPart::Does, "add unknown"),
        ("aws ec2 describe-instances", "read", "", ToolPart::Command, "`aws` is judged word by word"),
        ("ip", "read", "", ToolPart::Does, "name an effect beside `read`"),
        ("scp", "read", "", ToolPart::Command, "write rules for `path:…`"),
        ("rsync|sync", "write", "", ToolPart::Command, "write rules for `path:…`"),
    ] {
        let (at, message) = fault(command, does, options);
        assert!(at == part && message.contains(says), "{command}: {at:?} {message}");
    }
}

#[test]
fn what_the_tables_know_stays() {
    for (command, does, options, part, says) in [
        ("rm", "read", "", ToolPart::Does, "the gateway's table says that `rm` does delete: a policy can add to that"),
        (
            "pg_dump",
            "read",
            "",
            ToolPart::Does,
            "does execute, export: a policy can add to that, not take from it; add export",
        ),
        ("kubectl delete", "delete", "", ToolPart::Does, "add destroy"),
        ("systemctl restart", "read", "", ToolPart::Does, "add admin"),
        ("kubectl get", "read", "any", ToolPart::Options, "not `any`"),
        ("kubectl describe", "read", "text", ToolPart::Options, "not `text`"),
        ("sort", "read", "-o:", ToolPart::Options, "knows `-o` of `sort`: write it as `-o:!write`"),
        ("sort", "read", "-o!write", ToolPart::Options, "write it as `-o:!write`"),
        ("sort", "read", "--output!write", ToolPart::Options, "write it as `--output=!write`"),
        ("sort", "read", "--out=", ToolPart::Options, "may be short for `--output`"),
        ("kubectl get", "read", "--as=", ToolPart::Options, "write it as `--as=!grant`"),
        ("kubectl plug", "read", "^ --kubeconfig=", ToolPart::Options, "write it as `--kubeconfig=!execute`"),
        ("uniq", "read", "most:5", ToolPart::Options, "not `most:`"),
        (
            "kubectl get secrets",
            "read,grant",
            "",
            ToolPart::Command,
            "the words after `kubectl get` say what it is about",
        ),
        ("rm all", "delete", "", ToolPart::Command, "it has no subcommands"),
        ("cat x y", "read", "", ToolPart::Command, "the words after `cat`"),
    ] {
        let (at, message) = fault(command, does, options);
        assert!(at == part && message.contains(says), "{command} {options}: {at:?} {message}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (command, does, options, part, says) in [
        ("./manage.py showmigrations", "read", "", ToolPart::Command, "`./manage.py` is a path, and a name alone says"),
        ("/opt/bin/x", "read", "", ToolPart::Command, "is a path"),
        ("/usr/bin/x|y", "read", "", ToolPart::Command, "is a path"),
        ("~", "read", "", ToolPart::Command, "no plain name"),
        ("a*", "read", "", ToolPart::Command, "no plain name"),
        ("'a b'", "read", "", ToolPart::Command, "no plain name"),
        ("A=b", "read", "", ToolPart::Command, "no plain name"),
        ("-x", "read", "", ToolPart::Command, "no plain name"),
        ("a||b", "read", "", ToolPart::Command, "no plain name"),
        ("if", "read", "", ToolPart::Command, "a word of the shell's grammar"),
        ("a --status", "read", "", ToolPart::Command, "`--status` is an option, not a subcommand"),
        ("a b*", "read", "", ToolPart::Command, "no plain word"),
        ("a 'b'", "read", "", ToolPart::Command, "no plain word"),
        ("a\u{a0}b", "read", "", ToolPart::Command, "no plain name"),
        ("", "read", "", ToolPart::Command, "a program and its subcommands"),
        ("a b c d e f g", "read", "", ToolPart::Command, "6 words at most"),
        ("a|a", "read", "", ToolPart::Command, "`a` is there twice"),
        ("a|b|c|d|e|f 1|2|3|4|5|6 1|2|3|4|5|6", "read", "", ToolPart::Command, "these are 216 commands"),
        ("a", "", "", ToolPart::Does, "it does nothing"),
        ("a", "read", "*", ToolPart::Options, "write `any`"),
        ("a", "read", "$kubectl", ToolPart::Options, "options are written"),
        ("a", "read", "runs", ToolPart::Options, "options are written"),
        ("a", "read", "-v, --env=", ToolPart::Options, "options are written"),
        ("a", "read", "--env=NAME", ToolPart::Options, "options are written"),
        ("a", "read", "--", ToolPart::Options, "options are written"),
        ("a", "read", "-", ToolPart::Options, "options are written"),
        ("a", "read", "v", ToolPart::Options, "options are written"),
        ("a", "read", "-n=", ToolPart::Options, "a value is written `-n:`"),
        ("a", "read", "single -n:", ToolPart::Options, "a value is written `-name=`"),
        ("a", "read", "-vv", ToolPart::Options, "`-v` is there twice"),
        ("a", "read", "-v --x --x!delete", ToolPart::Options, "`--x` is there twice"),
        ("a", "read", "--x!remove", ToolPart::Options, "`remove` in `--x!remove` is no effect"),
        ("a", "read", "--x!", ToolPart::Options, "is no effect"),
        ("a", "read", "--x!session", ToolPart::Options, "is no effect"),
        ("a", "read", "any -v --write!write", ToolPart::Options, "`any` says that no option does harm"),
        ("a", "read", "any!read", ToolPart::Options, "options are written"),
        ("a", "read", "most:x", ToolPart::Options, "how many operands"),
        ("a", "read", "need:a", ToolPart::Options, "of which one must be there"),
        ("a", "read", "-b need:-a!write", ToolPart::Options, "`-a`, which is not among the options"),
    ] {
        let (at, message) = fault(command, does, options);
        assert!(at == part && message.contains(says), "{command} {options}: {at:?} {message}");
    }
    let twice = Tools::new(&[tool("a b", "read", ""), tool("a b|c", "admin", "")]).unwrap_err();
    assert_eq!((twice[0].tool, twice[0].message.as_str()), (1, "`a b` is there twice: say it once"));
}

#[test]
fn what_is_odd_is_remarked() {
    let odd =
        tools(&[("reboot", "admin", ""), ("vault", "read", ""), ("pg_dump", "read,export", ""), ("a", "read", "")]);
    let said: Vec<(usize, &str)> = odd.remarks().iter().map(|it| (it.tool, it.message.as_str())).collect();
    assert_eq!(
        said,
        [
            (0, "the gateway's table says the same of `reboot`: leave it out"),
            (1, "it speaks of `vault` whatever its words are: name subcommands if it has any"),
        ]
    );
}

/// Programs and subcommands that the tables know, of all sorts.
const KNOWN: [&str; 40] = [
    "sh",
    "env",
    "xargs",
    "find",
    "sed",
    "awk",
    "git",
    "git log",
    "git push",
    "git branch",
    "kubectl",
    "kubectl get",
    "kubectl exec",
    "kubectl delete",
    "kubectl config",
    "docker",
    "docker ps",
    "docker run",
    "docker compose",
    "docker compose up",
    "pg_dump",
    "make",
    "psql",
    "sort",
    "rm",
    "chmod",
    "tee",
    "dd",
    "systemctl",
    "systemctl restart",
    "systemctl status",
    "sudo",
    "timeout",
    "python3",
    "curl",
    "useradd",
    "tar",
    "ls",
    "cat",
    "terraform plan",
];
const OPTIONS: [&str; 20] = [
    "any",
    "text",
    "^",
    "~",
    "+",
    "single",
    "-f",
    "-r",
    "-o:",
    "-o:!write",
    "-i",
    "-c:",
    "--force",
    "--recursive",
    "--as=",
    "--now",
    "--output=",
    "--delete",
    "most:9",
    "-e:",
];

/// Commands of which somebody must know.
const HARMFUL: [&str; 24] = [
    "rm -rf /srv/data",
    "chmod -R 777 /srv",
    "dd if=/dev/zero of=/dev/sda",
    "tee /etc/passwd",
    "systemctl restart nginx",
    "useradd eve",
    "find /srv -delete",
    "sed -i s/a/b/ /etc/hosts",
    "awk 'BEGIN{system(\"id\")}'",
    "python3 -c 'import os'",
    "kubectl delete ns prod",
    "kubectl exec web -- id",
    "kubectl get pods --as=admin",
    "docker run -v /:/x y",
    "git push --force",
    "git -c alias.x='!id' x",
    "sort -o /etc/passwd x",
    "sudo rm x",
    "env X=y rm x",
    "timeout 5 rm x",
    "echo x | xargs rm",
    "sh -c 'rm x'",
    "make all",
    "psql -c 'drop table x'",
];

fn any_tool() -> impl Strategy<Value = Tool> {
    let names = proptest::sample::select(KNOWN.to_vec());
    let below = proptest::option::weighted(0.2, proptest::sample::select(vec!["status", "log", "rm", "pods", "-x"]));
    let does = proptest::collection::vec(proptest::sample::select(Effect::ALL.to_vec()), 1..3);
    let options = proptest::option::of(proptest::collection::vec(proptest::sample::select(OPTIONS.to_vec()), 1..3));
    (names, below, does, options).prop_map(|(name, below, does, options)| Tool {
        command: below.map_or_else(|| name.to_owned(), |below| format!("{name} {below}")),
        does: does.into_iter().collect::<EffectSet>(),
        options: options.map(|words| words.join(" ")),
        why: String::new(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a policy may say: of a known harm nothing is taken away but `execute`, and nothing at all of what runs other things.
    #[test]
    fn no_entry_that_is_taken_makes_a_known_command_harmless(tool in any_tool()) {
        let program = tool.command.split(' ').next().unwrap_or_default().to_owned();
        if let Ok(tools) = Tools::new(&[tool]) {
            for text in HARMFUL {
                let (before, after) = (set(text, &Tools::default()), set(text, &tools));
                let known = before.iter().filter(|effect| **effect != Effect::Execute);
                prop_assert!(known.clone().all(|effect| after.contains(effect)), "{}: {:?} then {:?}", text, before, after);
                let closed = !["pg_dump", "curl", "terraform", "docker", "useradd", "kubectl"].contains(&program.as_str());
                prop_assert!(!closed || before.is_subset(&after), "{}: {:?} then {:?}", text, before, after);
            }
        }
    }

    /// Any list has an answer, and with those that are taken any text has one.
    #[test]
    fn any_list_is_read(command in "\\PC{0,40}", options in "([-a-z:?=!,+~^ ]|most:|need:|single|any){0,12}", text in "\\PC{0,60}") {
        if let Ok(tools) = Tools::new(&[tool(&command, "read", &options), tool("z z", "admin", "")]) {
            prop_assert!(!analyze_with(text.as_bytes(), &tools).actions.is_empty());
            prop_assert!(!analyze_with(command.as_bytes(), &tools).actions.is_empty());
        }
    }
}

proptest! {
    // Each case goes through all honest commands.
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Rows for programs of other names change nothing about a text.
    #[test]
    fn entries_for_other_programs_change_nothing(
        list in proptest::collection::vec(
            ("(house[a-z]{1,3})( [a-z]{1,3}){0,2}", proptest::sample::select(Effect::ALL.to_vec()), proptest::sample::select(OPTIONS.to_vec())),
            1..6,
        ),
        plug in "(kubectl|helm|vault|docker) house[a-z]{1,3}",
    ) {
        let mut list: Vec<Tool> = list.into_iter().map(|(command, effect, options)| tool(&command, effect.as_str(), options)).collect();
        list.push(tool(&plug, "read", ""));
        if let Ok(tools) = Tools::new(&list) {
            for text in HONEST.lines().filter_map(|line| line.split_once('\t')).map(|(_, text)| text).chain(HARMFUL) {
                let (before, after) = (analyze(text.as_bytes()), analyze_with(text.as_bytes(), &tools));
                prop_assert_eq!(before.actions, after.actions, "{}", text);
                prop_assert_eq!(before.parts, after.parts, "{}", text);
            }
        }
    }
}
