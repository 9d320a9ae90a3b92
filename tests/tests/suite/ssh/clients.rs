//! Stock clients of SSH through the gateway. Their packages come from `cargo xtask ensure clients`.

use sallyport_tests::clients;

use crate::passes;

macro_rules! clients {
    ($($name:ident = $client:literal,)*) => {$(
        #[test]
        fn $name() {
            passes(clients::main, &["ssh", "--only", $client, "--files", "1000"]);
        }
    )*};
}

clients! {
    openssh = "ssh",
    scp_sftp_rsync_git = "files",
    ansible = "ansible",
    paramiko = "paramiko",
    asyncssh = "asyncssh",
}
