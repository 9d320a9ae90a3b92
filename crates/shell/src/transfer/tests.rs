//! Far sides of transfers, as clients start them.

use crate::analyze;

fn actions(text: &str) -> Vec<String> {
    let analysis = analyze(text.as_bytes());
    let named = |action: &model::Action| {
        format!("{} {}", action.effect, action.object.as_ref().map(ToString::to_string).unwrap_or_default())
    };
    analysis.actions.iter().map(named).collect()
}

#[test]
fn scp_reads_or_writes_its_path() {
    assert_eq!(actions("scp -t /etc/cron.d"), ["write path:/etc/cron.d"]);
    assert_eq!(actions("scp -f /var/log/app.log"), ["read path:/var/log/app.log"]);
    assert_eq!(actions("scp -r -p -d -t ~/up//./x/"), ["write path:~/up/x"]);
    assert_eq!(actions("scp -rptv notes.txt"), ["write path:~/notes.txt"]);
    assert_eq!(actions("/usr/bin/scp -v -f -- '/srv/a b'"), ["read path:/srv/a b"]);
    assert_eq!(actions("scp -t ''"), ["write path:~"]);
    assert_eq!(actions("scp -t ."), ["write path:~"]);
    assert_eq!(actions("scp -f /var/log/*.log"), ["read path:/var/log/*.log"]);
    assert_eq!(actions("scp -t /srv/a/../b"), ["write path:/srv/b"]);
}

#[test]
fn a_transfer_whose_path_is_not_certain_is_unknown() {
    let all = [
        "scp -t ../x",
        "scp -t /../x",
        "scp -t a b",
        "scp -t",
        "scp -t -f x",
        "scp -S sh -t x",
        "scp -t ~root/x",
        "scp -t '~/x'",
        "scp -t *",
        "scp -t /srv/*",
        "scp -tx /srv",
        "scp -t -x",
        "rsync --server",
        "rsync --server . /srv --rsh=x",
        "rsync --server -e sh . /srv",
        "rsync --server -esh . /srv",
        "rsync --server --log-file=/x . /srv",
        "rsync --server --daemon .",
        "rsync --server -s . ",
        "rsync --server -logDtpre.iLsfxCIvu --partial-dir=/tmp/x . /srv",
        "rsync --server --files-from=/etc/shadow . /srv",
        "rsync --server -logDtpre.i . /srv/a /srv/b",
        "rsync --server --sender -le.i . /srv/../../x",
        "rsync --server -M--x . /srv",
        "rsync --server --backup-dir=/x . /srv",
        "rsync --server --rsync-path=x . /srv",
        "git-upload-pack",
        "git-upload-pack a b",
        "git-upload-pack --exec=x a",
        "git-upload-pack '~bob/x'",
        "git-receive-pack ../x",
        "git-upload-pack '-x'",
    ];
    for text in all {
        assert!(actions(text).iter().any(|action| action.starts_with("unknown")), "{text}: {:?}", actions(text));
    }
}

#[test]
fn rsync_reads_writes_and_deletes() {
    assert_eq!(actions("rsync --server --sender -logDtpre.iLsfxCIvu . /users/app/.ssh"), ["read path:/users/app/.ssh"]);
    assert_eq!(
        actions("rsync --server --sender -vlogDtprze.iLsfxCIvu . /srv/a/ b"),
        ["read path:/srv/a", "read path:~/b"]
    );
    assert_eq!(
        actions("rsync --server -vlogDtprze.iLsfxCIvu --delete --partial . /srv/www/"),
        ["write path:/srv/www", "delete path:/srv/www", "create other:links"]
    );
    assert_eq!(
        actions("rsync --server -logDtpre.iLsfxCIvu --bwlimit=100 --partial-dir=.part --safe-links . ~/x"),
        ["write path:~/x"]
    );
}

#[test]
fn links_that_rsync_makes_lead_anywhere() {
    let makes =
        |options: &str| actions(&format!("rsync --server {options} . /srv")).contains(&"create other:links".to_owned());
    for options in ["-logDtpre.iLsfxCIvu", "-rl", "-re.i --links", "--safe-links -rl --no-links -l --no-safe-links"] {
        assert!(
            makes(options) || actions(&format!("rsync --server {options} . /srv"))[0].starts_with("unknown"),
            "{options}"
        );
    }
    for options in
        ["-rtpe.iLl", "-logDtpre.iLsfxCIvu --safe-links", "-rl --munge-links", "-rl --no-links", "--sender -rl"]
    {
        assert!(!makes(options), "{options}");
    }
}

#[test]
fn links_that_rsync_follows_lead_anywhere() {
    let asks =
        |options: &str| actions(&format!("rsync --server {options} . /srv")).contains(&"create other:links".to_owned());
    for options in [
        "--sender -Lre.iLsfxCIvu",
        "--sender -logDtprLe.iLsfxCIvu",
        "--sender -kr",
        "--sender -rl --copy-unsafe-links",
        "--sender -re.i --safe-links -L",
        "-rKe.iLsfxCIvu",
        "-rtK --safe-links",
        "-rR --no-implied-dirs",
    ] {
        assert!(asks(options), "{options}: {:?}", actions(&format!("rsync --server {options} . /srv")));
    }
    for options in
        ["--sender -logDtpre.iLsfxCIvu", "--sender -vlogDtprze.iLsfxCIvuk", "--sender -rK", "-Lre.iLsf", "-kr"]
    {
        assert!(!asks(options), "{options}");
    }
    for options in ["--sender -r --copy-links", "--sender -r --copy-dirlinks", "-r --keep-dirlinks"] {
        let found = actions(&format!("rsync --server {options} . /srv"));
        assert!(asks(options) || found[0].starts_with("unknown"), "{options}");
    }
}

#[test]
fn git_reads_or_writes_a_repository() {
    assert_eq!(actions("git-upload-pack '/srv/git/app.git'"), ["read path:/srv/git/app.git"]);
    assert_eq!(actions("git upload-pack 'app.git'"), ["read path:~/app.git"]);
    assert_eq!(actions("git-receive-pack '~/app.git'"), ["write path:~/app.git"]);
    assert_eq!(actions("git-upload-archive 'x'"), ["read path:~/x"]);
}

#[test]
fn the_program_of_a_subsystem_is_a_command() {
    for text in [
        "/usr/lib/openssh/sftp-server",
        "/usr/libexec/sftp-server",
        "internal-sftp",
        "/usr/libexec/openssh/sftp-server -R",
    ] {
        let found = actions(text);
        assert!(found.len() == 1 && found[0].starts_with("execute command:"), "{found:?}");
    }
}

#[test]
fn scp_words_are_read_for_the_protocol() {
    let argv = |text: &str| model::argv::split(text).unwrap_or_default();
    let found = crate::scp(&argv("scp -r -p -d -t /srv")).unwrap();
    assert!(found.to_target && found.recursive && found.directory && found.preserve);
    assert_eq!(found.path, "/srv");
    assert!(!crate::scp(&argv("scp -f x")).unwrap().to_target);
    for text in ["scp a b", "scp -t", "scp -t -f x", "ls -t x", "scp -t a b", "", "scp -tS x"] {
        assert_eq!(crate::scp(&argv(text)), None, "{text}");
    }
}
