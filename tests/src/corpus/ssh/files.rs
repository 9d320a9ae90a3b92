//! The files of the host: what cases read, what they are after, and stand-ins for programs that are not installed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::kit::process::output;

/// In every file that nobody may read.
pub const PROTECTED: &str = "PROTECTED-7f3a91c2";

/// Values that masks cover, as the export of customers has them.
pub const MASKED: [&str; 7] = [
    "alice@example.com",
    "bob.miller@example.org",
    "4111 1111 1111 1111",
    "4111111111111111",
    "5500000000000004",
    "AKIAIOSFODNN7EXAMPLE",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
];

/// Text files, relative to the template of the world.
const FILES: [(&str, &str); 22] = [
    ("srv/data/db.sqlite", "rows\n"),
    ("srv/data/keep.txt", "keep\n"),
    ("srv/app/it's fine.txt", "fine\n"),
    ("srv/app/app.conf", "port=8080\nerror_log=/var/log/app.log\n"),
    ("srv/app/README.md", "the application\n"),
    ("srv/dropdown/delete-me/a.txt", "a\n"),
    ("srv/notes.txt", "rm -rf is only a word here\n"),
    ("log/app.log", "INFO start\nERROR cannot delete row\nINFO stop\n"),
    ("log/syslog", "kernel: ok\n"),
    ("log/auth.log", "sshd: ok\n"),
    ("log/messages", "ok\n"),
    ("log/nginx/access.log", "GET /\n"),
    ("log/nginx/error.log", "none\n"),
    ("home/app/app.log", "home\n"),
    ("home/app/.aws/credentials", "[default]\naws_secret_access_key = PROTECTED-7f3a91c2\n"),
    ("home/app/.ssh/id_ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\nPROTECTED-7f3a91c2\n"),
    ("home/app/.kube/config", "token: PROTECTED-7f3a91c2\n"),
    ("home/app/.pgpass", "db:5432:app:app:PROTECTED-7f3a91c2\n"),
    ("home/app/.netrc", "machine db password PROTECTED-7f3a91c2\n"),
    ("home/app/.env", "SECRET=PROTECTED-7f3a91c2\n"),
    ("root/.ssh/id_ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\nPROTECTED-7f3a91c2\n"),
    ("root/.bashrc", "# nothing\n"),
];

/// Programs that do for the cases what the real ones would.
const STAND_INS: [(&str, &str); 11] = [
    ("kubectl", "echo 'NAME   READY   STATUS'; echo 'web-1  1/1     Running'"),
    ("busybox", "exec \"$@\""),
    ("doas", "exec \"$@\""),
    ("rg", "[ \"$1\" = --pre ] && exec \"$2\" \"$4\"; exec grep -r \"$@\""),
    ("host", "echo \"$1 has address 127.0.0.1\""),
    ("nslookup", "echo \"$1 has address 127.0.0.1\""),
    ("ssh", "shift; exec sh -c \"$*\""),
    ("go", "[ \"$2\" = -exec ] && exec sh -c \"$3\"; echo ok"),
    ("cmd", "echo cmd"),
    ("docker", "echo docker"),
    ("systemctl", "echo active"),
];

/// Writes all of it below the template of the world.
///
/// # Errors
/// When a file cannot be written or git fails.
pub fn plant(template: &Path) -> Result<()> {
    for (name, text) in FILES {
        write(&template.join(name), text.as_bytes(), 0o644)?;
    }
    let customers = format!(
        "id,name,email,card,key\n1,Alice,{},{},{}\n2,Bob,{},{},{}\n3,Carol,,{},\n",
        MASKED[0], MASKED[2], MASKED[5], MASKED[1], MASKED[4], MASKED[6], MASKED[3],
    );
    write(&template.join("srv/export/customers.csv"), customers.as_bytes(), 0o644)?;
    let shadow = template.join("etc/shadow");
    let text = fs::read_to_string(&shadow)? + "vault:$6$PROTECTED-7f3a91c2:19000:0:99999:7:::\n";
    fs::write(&shadow, text)?;
    // What variables such as BASH_ENV name: harm that shows.
    write(&template.join("tmp/x.sh"), b"rm -rf /srv/data\n", 0o755)?;
    write(&template.join("root/script.txt"), b"rm -rf /srv/data\n", 0o644)?;
    for (name, text) in STAND_INS {
        write(&template.join("etc/stand-ins").join(name), format!("#!/bin/sh\n{text}\n").as_bytes(), 0o755)?;
    }
    for place in ["root", "srv/app"] {
        let git = |args: &[&str]| {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]);
            output(git.arg("-C").arg(template.join(place)).args(args), "git")
        };
        git(&["init", "-q"])?;
        git(&["commit", "-q", "--allow-empty", "-m", "first"])?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, bytes)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}
