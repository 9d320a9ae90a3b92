//! scp's old protocol, file by file.

use super::doubles::{Rig, policy};

const RULES: &str = "
rules:
  - { name: in, who: any, do: [connect, session], then: allow }
  - { name: files, who: any, do: [read, write, create], objects: [\"path:/srv/*\", \"path:/srv\"], then: allow }
  - { name: keys, who: any, do: [read, write, create], objects: [\"path:*key*\"], then: deny }
  - { name: human, who: any, do: [write], objects: [\"path:/srv/held*\"], then: approve, approval: { by: { groups: [dba] }, expires: 60s } }
";

fn up() -> Rig {
    let mut rig = Rig::new(RULES, "exec", "scp -r -p -d -t /srv", 1 << 20);
    rig.target_says(b"\0");
    assert_eq!(rig.at_client(), b"\0");
    rig.at_target();
    rig.recorded();
    rig
}

fn down() -> Rig {
    let mut rig = Rig::new(RULES, "exec", "scp -r -f /srv/tree", 1 << 20);
    rig.client_says(b"\0");
    assert_eq!(rig.at_target(), b"\0");
    rig.at_client();
    rig.recorded();
    rig
}

#[test]
fn a_file_goes_to_the_target_and_is_recorded() {
    let mut rig = up();
    rig.client_says(b"T1 0 2 0\n");
    assert_eq!((rig.at_client(), rig.at_target()), (b"\0".to_vec(), Vec::new()), "times wait for what they are of");
    rig.client_says(b"C0644 5 a b\n");
    assert_eq!(rig.at_target(), b"T1 0 2 0\n");
    rig.target_says(b"\0");
    assert_eq!((rig.at_target(), rig.at_client()), (b"C0644 5 a b\n".to_vec(), Vec::new()));
    rig.target_says(b"\0");
    assert_eq!(rig.at_client(), b"\0");
    rig.client_says(b"hel");
    rig.client_says(b"lo\0");
    assert_eq!(rig.at_target(), b"hello\0");
    rig.target_says(b"\0");
    assert_eq!(rig.at_client(), b"\0");
    assert_eq!(rig.recorded(), ["allow put /srv/a b", "put /srv/a b 5 digest: ok"]);
}

#[test]
fn nothing_of_a_refused_file_reaches_the_target() {
    let mut rig = up();
    rig.client_says(b"C0644 5 key\n");
    assert_eq!(rig.at_target(), b"");
    let said = rig.at_client();
    assert!(said.starts_with(b"\x01scp: /srv/key: sallyport: denied") && said.ends_with(b"\n"), "{said:?}");
    // A client that sends its content all the same has said a line.
    rig.client_says(b"C0644 3 key2\nD0755 0 dir\n");
    let said = rig.at_client();
    assert!(said.starts_with(b"\x01") && !said.contains(&0), "{said:?}");
    assert_eq!(rig.at_target(), b"D0755 0 dir\n");
    rig.target_says(b"\0");
    rig.client_says(b"C0644 0 x\n");
    assert_eq!(rig.at_target(), b"C0644 0 x\n");
    let recorded = rig.recorded();
    assert!(recorded.contains(&"deny put /srv/key".to_owned()), "{recorded:?}");
    assert!(recorded.contains(&"mkdir /srv/dir 0: ok".to_owned()), "{recorded:?}");
    assert!(recorded.contains(&"allow put /srv/dir/x".to_owned()), "{recorded:?}");
}

#[test]
fn content_that_the_target_did_not_take_is_no_content() {
    let mut rig = up();
    // All at once, as no honest client does: until the target has taken the file, nobody knows what the rest is.
    rig.client_says(b"C0644 14 a\nC0644 1 key\nx\0\0");
    assert_eq!(rig.at_target(), b"C0644 14 a\n");
    rig.target_says(b"\x01scp: a: Permission denied\n");
    assert_eq!(rig.at_target(), b"", "the target took no file, and was sent a line as its content");
    let recorded = rig.recorded();
    assert!(recorded.contains(&"put /srv/a 0: permission denied".to_owned()), "{recorded:?}");
    assert!(recorded.contains(&"deny put /srv/key".to_owned()), "{recorded:?}");
}

#[test]
fn a_held_file_waits_and_goes_on() {
    let mut rig = up();
    rig.client_says(b"C0644 2 held\n");
    assert!(rig.waits() && rig.at_target().is_empty());
    rig.client_says(b"hi\0");
    assert_eq!(rig.at_target(), b"");
    rig.approve().unwrap();
    assert_eq!(rig.at_target(), b"C0644 2 held\n");
    rig.target_says(b"\0");
    assert_eq!(rig.at_target(), b"hi\0");
    rig.target_says(b"\0");
    assert!(rig.recorded().contains(&"put /srv/held 2 digest: ok".to_owned()));
}

#[test]
fn what_stops_short_is_cut() {
    let mut rig = up();
    rig.client_says(b"C0644 5 a\n");
    rig.target_says(b"\0");
    rig.client_says(b"he");
    rig.relay.finish_all();
    assert!(rig.recorded().contains(&"put /srv/a 2 digest: cut".to_owned()));
}

#[test]
fn a_policy_edit_stops_content() {
    let mut rig = up();
    rig.client_says(b"C0644 5 a\n");
    rig.target_says(b"\0");
    rig.at_target();
    rig.gate.replace_policy(policy(&RULES.replace("*key*", "/srv/a")));
    rig.client_says(b"hello");
    assert_eq!(rig.at_target(), b"");
}

#[test]
fn a_tree_comes_from_the_target_without_what_is_refused() {
    let mut rig = down();
    rig.target_says(b"D0755 0 tree\n");
    assert_eq!(rig.at_client(), b"D0755 0 tree\n");
    rig.client_says(b"\0");
    assert_eq!(rig.at_target(), b"\0");
    rig.target_says(b"C0600 3 key\n");
    let said = rig.at_client();
    assert!(said.starts_with(b"\x01scp: /srv/tree/key: sallyport: denied"), "{said:?}");
    assert!(rig.at_target().starts_with(b"\x01scp: "));
    rig.target_says(b"C0644 2 ok\n");
    rig.client_says(b"\0");
    rig.target_says(b"hi\0");
    assert_eq!(rig.at_client(), b"C0644 2 ok\nhi\0");
    rig.client_says(b"\0");
    rig.target_says(b"E\n");
    rig.client_says(b"\0");
    assert_eq!(rig.at_target(), b"\0\0\0");
    let recorded = rig.recorded();
    assert!(recorded.contains(&"get /srv/tree/ok 2 digest: ok".to_owned()), "{recorded:?}");
    assert!(recorded.contains(&"list /srv/tree 0: ok".to_owned()), "{recorded:?}");
}

#[test]
fn what_breaks_the_protocol_ends_the_program() {
    for line in [
        "hello\n",
        "C0644 5 ../x\n",
        "C0644 5 ..\n",
        "C064 5 x\n",
        "C0644 -5 x\n",
        "E\n",
        "C0644 99999999999999999999 x\n",
    ] {
        let mut rig = up();
        rig.client_says(line.as_bytes());
        rig.client_says(b"C0644 1 later\n");
        assert_eq!(rig.at_target(), b"", "{line}");
    }
    let mut rig = down();
    rig.target_says(b"C0644 5 .bashrc\n");
    assert_eq!(rig.at_client(), b"", "a name that was not asked for");
    let mut rig = up();
    rig.client_says(&[b'C'; 20_000]);
    assert_eq!(rig.at_target(), b"");
}

#[test]
fn a_path_that_may_be_a_folder_is_judged_as_both() {
    let mut rig = Rig::new(RULES, "exec", "scp -t /srv/up", 1 << 20);
    rig.target_says(b"\0");
    rig.client_says(b"C0644 5 key\n");
    assert_eq!(rig.at_target(), b"");
    rig.client_says(b"C0644 5 other\n");
    assert_eq!(rig.at_target(), b"C0644 5 other\n");
    assert!(rig.recorded().contains(&"allow put /srv/up[/other]".to_owned()));
}

#[test]
fn content_is_kept_where_a_rule_says_so() {
    let full = format!("{RULES}records:\n  - {{ name: all, who: any, results: full }}\n");
    let mut rig = Rig::new(&full, "exec", "scp -d -t /srv", 1 << 20);
    rig.target_says(b"\0");
    rig.client_says(b"C0644 5 a\n");
    rig.target_says(b"\0");
    rig.client_says(b"hel");
    rig.client_says(b"lo\0");
    let recorded = rig.recorded();
    assert!(recorded.contains(&"content true 0 hel".to_owned()), "{recorded:?}");
    assert!(recorded.contains(&"content true 3 lo".to_owned()), "{recorded:?}");
}

#[test]
fn only_a_whole_command_is_carried_as_scp() {
    for text in [
        "scp -t /srv; true",
        "cd /srv; scp -t x",
        "sh -c 'scp -t /srv'",
        "env scp -t /srv",
        "while true; do scp -t /srv; done",
        "(scp -t /srv)",
    ] {
        let mut rig = Rig::new(RULES, "exec", text, 1 << 20);
        assert_eq!(rig.at_target(), b"", "{text}");
        let recorded = rig.recorded();
        assert!(recorded.iter().any(|line| line.starts_with("deny ")), "{text}: {recorded:?}");
    }
}
