//! The tests that make sense through a gateway which ends one connection and begins another, and what of them it does not carry.

/// One of the suite's tests.
pub(super) struct Case {
    /// Its file's name without `.sh`.
    pub(super) name: &'static str,
    /// Beginnings of the lines under which it fails through the gateway (`""`: wherever), and why that is as it should be.
    pub(super) except: &'static [(&'static str, &'static str)],
}

const fn case(name: &'static str) -> Case {
    Case { name, except: &[] }
}

/// In the order of the suite's own list.
pub(super) const CASES: &[Case] = &[
    case("connect"),
    Case {
        name: "proxy-connect",
        except: &[("plain username", "the target sees the gateway's connection, not the client's")],
    },
    case("connect-uri"),
    case("exit-status"),
    case("exit-status-signal"),
    case("envpass"),
    case("transfer"),
    Case {
        name: "banner",
        except: &[("test banner: size", "what the target says before the login is not the client's to read")],
    },
    Case {
        name: "rekey",
        except: &[(
            "server rekeylimit",
            "the target's limit counts on its own side, where the client sees no exchange",
        )],
    },
    case("stderr-data"),
    case("stderr-after-eof"),
    case("broken-pipe"),
    case("try-ciphers"),
    case("yes-head"),
    case("login-timeout"),
    case("scp"),
    case("scp3"),
    case("scp-uri"),
    case("sftp"),
    Case { name: "sftp-cmds", except: &[("sftp commands: cp", "the extension copy-data is not carried")] },
    case("sftp-badcmds"),
    case("sftp-batch"),
    case("sftp-glob"),
    case("sftp-uri"),
    case("reconfigure"),
    case("dynamic-forward"),
    case("forwarding"),
    Case {
        name: "multiplex",
        except: &[
            (
                "test connection multiplexing: cmd forward local (UNIX)",
                "what answers behind the tunnel is the gateway, whose words to garbage are others than sshd's",
            ),
            (
                "test connection multiplexing: cmd forward remote (UNIX)",
                "what answers behind the tunnel is the gateway, whose words to garbage are others than sshd's",
            ),
        ],
    },
    case("localcommand"),
    case("forcecommand"),
    case("portnum"),
    case("kextype"),
    case("host-expand"),
    case("forward-control"),
    case("channel-timeout"),
    case("connection-timeout"),
];
