//! Both sides of real sockets: bytes, ends, and what an idle connection costs.

use gate::ToClient;
use tempfile::TempDir;

use super::*;
use crate::tls::{ServerTls, Source, TlsMode, Trust};

async fn plain() -> (Transport, Transport) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "the client of a test")]
    let dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, peer) = listener.accept().await.unwrap();
    (Transport::plain(accepted, peer), Transport::dialled(dialled).unwrap())
}

struct Tls {
    _dir: TempDir,
    server: ServerTls,
    client: ClientTls,
}

impl Tls {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let source = Source::Own { directory: dir.path().to_owned(), names: Vec::new() };
        let server = ServerTls::new(source).unwrap();
        let trust = Trust { authorities: server.authority(), certificate: None };
        Self { client: ClientTls::new(TlsMode::VerifyFull, &trust).unwrap(), server, _dir: dir }
    }

    async fn pair(&self) -> (Transport, Transport) {
        let (inner, outer) = plain().await;
        let (inner, outer) =
            tokio::join!(inner.accept_tls(self.server.current()), outer.connect_tls(&self.client, "localhost"));
        (inner.unwrap(), outer.unwrap())
    }
}

fn outbox(bytes: &[u8]) -> Outbox<ToClient> {
    let mut outbox = Outbox::default();
    outbox.login(bytes);
    outbox
}

async fn carries(mut from: Transport, mut to: Transport) {
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let mut pending = outbox(&sent);
    let writing = async {
        from.flush(&mut pending).await.unwrap();
        assert!(pending.is_empty());
        from.shutdown().await;
    };
    let reading = async {
        let mut got = Vec::new();
        let mut buffer = crate::pool::take();
        loop {
            let n = to.read(&mut buffer).await.unwrap();
            if n == 0 {
                return got;
            }
            got.extend_from_slice(&buffer[..n]);
        }
    };
    let ((), got) = tokio::join!(writing, reading);
    assert!(got == sent, "{} of {} bytes", got.len(), sent.len());
}

#[tokio::test]
async fn bytes_arrive_whole_both_ways() {
    let (inner, outer) = plain().await;
    assert!(!inner.is_tls() && inner.tls().is_none() && inner.tls_server_end_point().is_none());
    carries(inner, outer).await;
    let tls = Tls::new();
    let (inner, outer) = tls.pair().await;
    assert!(inner.is_tls() && outer.is_tls());
    carries(inner, outer).await;
    let (inner, outer) = tls.pair().await;
    carries(outer, inner).await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_makes_writing_wait() {
    for secure in [false, true] {
        let tls = Tls::new();
        let (mut inner, outer) = if secure { tls.pair().await } else { plain().await };
        let mut pending = outbox(&vec![7; 64 * 1024 * 1024]);
        let late = tokio::time::timeout(Duration::from_millis(300), inner.flush(&mut pending)).await;
        assert!(late.is_err());
        assert!(!pending.is_empty() && pending.len() < 64 * 1024 * 1024, "some of it was written");
        drop(outer);
    }
}

/// A session flushes while its outbox has something and then reads. Its last bytes must not stay behind in TLS.
#[tokio::test]
async fn what_tls_holds_back_is_sent_while_reading() {
    let tls = Tls::new();
    let (mut inner, mut outer) = tls.pair().await;
    // Until the network is full and an outbox is empty all the same.
    let mut all = 0;
    loop {
        let mut pending = outbox(&[7; 16 * 1024]);
        all += pending.len();
        let blocked = poll_fn(|cx| Poll::Ready(inner.poll_flush(cx, &mut pending).is_pending())).await;
        if blocked {
            assert!(pending.is_empty(), "TLS takes more than the network");
            break;
        }
    }
    assert!(inner.has_unsent());
    let session = async { inner.read(&mut [0; 8]).await };
    let peer = async {
        let mut got = 0;
        let mut buffer = vec![0; 16 * 1024];
        while got < all {
            got += outer.read(&mut buffer).await.unwrap();
        }
        outer.flush(&mut outbox(b"thanks")).await.unwrap();
    };
    let both = async { tokio::join!(session, peer) };
    let (read, ()) = tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
    assert_eq!(read.unwrap(), 6);
    assert!(!inner.has_unsent());
}

#[tokio::test]
async fn last_words_arrive_although_the_peer_has_said_more() {
    let (mut inner, mut outer) = plain().await;
    outer.flush(&mut outbox(&[1; 10_000])).await.unwrap();
    inner.flush(&mut outbox(b"good-bye")).await.unwrap();
    let closing = tokio::spawn(inner.shutdown());
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut text = [0; 16];
    assert_eq!(outer.read(&mut text).await.unwrap(), 8);
    assert_eq!(outer.read(&mut text).await.unwrap(), 0);
    drop(outer);
    closing.await.unwrap();
}

#[tokio::test]
async fn garbage_is_not_tls_and_silence_ends() {
    let tls = Tls::new();
    let (inner, mut outer) = plain().await;
    outer.flush(&mut outbox(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")).await.unwrap();
    assert_eq!(inner.accept_tls(tls.server.current()).await.unwrap_err(), HandshakeError::NotTls);
    let (inner, outer) = plain().await;
    drop(outer);
    assert_eq!(inner.accept_tls(tls.server.current()).await.unwrap_err(), HandshakeError::Ended);
}

#[tokio::test]
async fn peeking_takes_nothing() {
    let (mut inner, mut outer) = plain().await;
    outer.flush(&mut outbox(b"\x16rest")).await.unwrap();
    let mut first = [0];
    assert_eq!(inner.peek(&mut first).await.unwrap(), 1);
    assert_eq!(first, [0x16]);
    assert_eq!(inner.read(&mut [0; 16]).await.unwrap(), 5);
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// In a process of its own: the memory of tests beside it is not to be told from its own.
#[test]
fn idle_tls_connections_are_small() {
    let own = "transport::tests::memory_of_idle_tls_connections";
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let ended = command.args(["--exact", own, "--nocapture"]).env(ALONE, "1").output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
}

const ALONE: &str = "SALLYPORT_TEST_ALONE";

#[tokio::test]
async fn memory_of_idle_tls_connections() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    const PAIRS: usize = 300;
    let tls = Tls::new();
    let mut warm = Vec::new();
    for _ in 0..20 {
        warm.push(tls.pair().await);
    }
    let before = resident_kib();
    let mut pairs = Vec::new();
    for _ in 0..PAIRS {
        let (mut inner, mut outer) = tls.pair().await;
        // A large exchange first: what it needed must be given back.
        let mut large = outbox(&[7; 40_000]);
        inner.flush(&mut large).await.unwrap();
        let mut got = 0;
        while got < 40_000 {
            got += outer.read(&mut crate::pool::take()).await.unwrap();
        }
        let waited = tokio::time::timeout(Duration::from_millis(1), outer.read(&mut crate::pool::take())).await;
        assert!(waited.is_err());
        pairs.push((inner, outer));
    }
    let each = resident_kib().saturating_sub(before) / PAIRS;
    println!("one idle TLS connection, both of its sides: {each} KiB");
    assert!(each <= 32, "{each} KiB for both sides of one idle connection");
}
