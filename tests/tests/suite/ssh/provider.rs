//! Logins with the browser at an identity provider that is not ours, on its own pages: stock `ssh` before a real sshd.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use sallyport_tests::kit::process::wait_for;

use super::browser::{POLICY, ssh};
use super::world::{Said, World};

/// oidc-provider, with a browser for its pages.
struct Provider {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    url: String,
}

impl Provider {
    fn start() -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/idp_oidc_provider.js");
        let mut command = Command::new("node");
        command.arg(program).env("IDP_SECRET", "s3cret").env("NODE_NO_WARNINGS", "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (orders, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut provider = Self { child, orders, answers, url: String::new() };
        provider.url = provider.line();
        assert!(provider.url.starts_with("http://127.0.0.1:"), "{}", provider.url);
        provider
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// What the provider's last page says.
    fn browse(&mut self, order: &str, page: &str) -> String {
        writeln!(self.orders, "{order} {page}").unwrap();
        self.line()
    }

    fn world(&self) -> World {
        let config = format!(
            "issuers:\n  - url: \"{}\"\n    audience: elsewhere\n    kind: human\n    device: {{ client_id: sallyport, client_secret: {{ env: \
             IDP_SECRET }}, scope: \"openid groups\" }}\n",
            self.url
        );
        World::with(POLICY, |_, options| {
            options.extra = config;
            options.env.push(("IDP_SECRET".to_owned(), "s3cret".to_owned()));
        })
    }

    /// `ssh` while somebody does this on the page that it shows.
    fn meanwhile(&mut self, world: &World, order: &str) -> (Said, String) {
        let asked = world.home.path().join("asked");
        // An earlier login's link is used up.
        let _none = fs::remove_file(&asked);
        std::thread::scope(|scope| {
            let running = scope.spawn(|| ssh(world, &[""], &["-o", "LogLevel=INFO", "gw", "echo in"]));
            let mut page = None;
            wait_for("the link", Duration::from_secs(20), || {
                let text = fs::read_to_string(&asked).unwrap_or_default();
                let found = text.split_whitespace().find(|word| word.contains("user_code="));
                page = found.map(str::to_owned);
                Ok(page.is_some() && text.contains("Enter once"))
            })
            .unwrap();
            let said = self.browse(order, &page.unwrap());
            (running.join().unwrap().0, said)
        })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

#[test]
fn a_provider_that_is_not_ours_logs_people_in() {
    let mut provider = Provider::start();
    let world = provider.world();
    let (said, page) = provider.meanwhile(&world, "log-in");
    assert!(page.starts_with("200 ") && page.contains("Success"), "{page}");
    assert_eq!((said.out.as_str(), said.code), ("in\n", Some(0)), "{said:?}\n{page}\n{}", world.gateway.log());
    assert!(world.replay().contains("alice"));
    let json = world.gateway.cli(&["sessions", "export", "last"]).unwrap();
    assert!(json.contains(&provider.url) && json.contains("sallyport_login"), "{json}");

    let (said, page) = provider.meanwhile(&world, "say-no");
    assert!(said.code == Some(255) && said.err.contains("denied at the identity provider"), "{said:?}\n{page}");
}
