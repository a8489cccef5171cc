//! The sink as its clients meet it: over real sockets, by hand and with lettre.

mod conversation;
mod letters;
mod rules;
mod secure;

use std::fmt::Debug;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

async fn sink(options: Options) -> Sink {
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    within(Sink::start(listen, options)).await.unwrap()
}

/// A guard only: nothing here takes long.
async fn within<T>(work: impl Future<Output = T>) -> T {
    let guard = timeout(Duration::from_secs(20), work);
    guard.await.expect("an answer within 20 seconds")
}

/// A client that speaks bytes.
struct Client<S> {
    stream: BufReader<S>,
}

impl Client<TcpStream> {
    /// Connects and leaves the greeting unread.
    async fn connect(sink: &Sink) -> Self {
        let stream = within(TcpStream::connect(sink.address())).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    /// Connects and gets as far as EHLO.
    async fn greeted(sink: &Sink) -> Self {
        let mut client = Self::connect(sink).await;
        assert!(client.reply().await.starts_with("220 "));
        client.expect("EHLO client.example", "250").await;
        client
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Debug> Client<S> {
    fn over(stream: S) -> Self {
        let stream = BufReader::new(stream);
        Self { stream }
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within(self.stream.write_all(bytes.as_ref())).await.unwrap();
        within(self.stream.flush()).await.unwrap();
    }

    /// The next reply, its lines parted by `\n`; what there is of it when the connection ends.
    async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            within(self.stream.read_line(&mut line)).await.unwrap();
            assert!(line.is_empty() || line.ends_with("\r\n"), "{line:?}");
            reply.push_str(line.trim_end_matches("\r\n"));
            if line.as_bytes().get(3) != Some(&b'-') {
                return reply;
            }
            reply.push('\n');
        }
    }

    async fn ask(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n")).await;
        self.reply().await
    }

    #[track_caller]
    fn expect(&mut self, command: &str, answer: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let said = self.ask(command).await;
            assert!(said.starts_with(answer), "{place}: {command} got {said:?}");
        }
    }

    /// All that still comes before the sink ends the connection.
    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        within(self.stream.read_to_end(&mut rest)).await.unwrap();
        rest
    }
}
