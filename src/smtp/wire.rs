//! The bytes of one connection: lines and letters in, replies out in as few packets as can be.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;

use super::unstuff::{Text, Unstuff};

/// RFC 5321 4.5.3.1.4 asks for 512 bytes, extensions add some; more is no command.
const LONGEST_LINE: usize = 4_096;
const CHUNK: usize = 16 * 1024;
/// For the client's own closing, after ours.
const LINGER: Duration = Duration::from_secs(2);

pub(crate) struct Wire<S> {
    stream: S,
    input: Vec<u8>,
    /// How much of `input` has been used.
    used: usize,
    output: Vec<u8>,
    stop: watch::Receiver<bool>,
    manner: Manner,
}

/// How a server treats its clients.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// How long one may be silent.
    pub(crate) patience: Duration,
    /// What it hears when the server stops.
    pub(crate) farewell: &'static str,
}

/// The conversation is over: the client went, or it was sent away.
pub(crate) struct Gone;

impl From<io::Error> for Gone {
    fn from(_: io::Error) -> Self {
        Self
    }
}

pub(crate) enum Line {
    Text(String),
    NotText,
    TooLong,
}

/// Comes back when the server shall stop, or is gone.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S, stop: watch::Receiver<bool>, manner: Manner) -> Self {
        Self {
            stream,
            input: Vec::new(),
            used: 0,
            output: Vec::new(),
            stop,
            manner,
        }
    }

    /// The bare stream. What was read from it and not used is forgotten: commands injected in the
    /// clear before a TLS handshake must not be obeyed after it (CVE-2011-0411).
    pub(crate) async fn into_stream(mut self) -> Result<S, Gone> {
        self.flush().await?;
        Ok(self.stream)
    }

    /// Whether the client has sent more than was used, without waiting for our answer.
    pub(crate) fn has_more(&self) -> bool {
        self.used < self.input.len()
    }

    /// The next command line, without its end. A stop is heeded where nothing is under way that the
    /// client would have to begin anew.
    pub(crate) async fn line(&mut self, at_rest: bool) -> Result<Line, Gone> {
        let mut is_too_long = false;
        loop {
            let waiting = &self.input[self.used..];
            let end = waiting.iter().position(|b| *b == b'\n');
            is_too_long |= end.unwrap_or(waiting.len()) > LONGEST_LINE;
            if let Some(end) = end {
                let line = waiting[..end]
                    .strip_suffix(b"\r")
                    .unwrap_or(&waiting[..end]);
                let line = match str::from_utf8(line) {
                    _ if is_too_long => Line::TooLong,
                    Ok(text) => Line::Text(text.to_owned()),
                    Err(_) => Line::NotText,
                };
                self.used += end + 1;
                return Ok(line);
            }
            if is_too_long {
                self.used = self.input.len();
            }
            if at_rest && (*self.stop.borrow() || self.stop.has_changed().is_err()) {
                return self.leave(self.manner.farewell).await;
            }
            // Before the race, because half a reply must not be written twice.
            self.flush().await?;
            let mut stop = self.stop.clone();
            tokio::select! {
                biased;
                read = self.read() => read?,
                () = stopped(&mut stop), if at_rest => {}
            }
        }
    }

    /// The text of a letter up to its final dot, of which `most` bytes are kept.
    pub(crate) async fn text(&mut self, most: usize) -> Result<Text, Gone> {
        let mut text = Unstuff::new(most);
        loop {
            self.used += text.take(&self.input[self.used..]);
            if text.is_complete() {
                return Ok(text.finish());
            }
            self.read().await?;
        }
    }

    /// Puts a reply behind those that wait. They leave together when the client's next words are
    /// waited for (RFC 2920 3.2).
    pub(crate) async fn say(&mut self, reply: &str) -> Result<(), Gone> {
        for line in reply.split('\n') {
            self.output.extend_from_slice(line.as_bytes());
            self.output.extend_from_slice(b"\r\n");
        }
        if self.output.len() > CHUNK {
            self.flush().await?;
        }
        Ok(())
    }

    pub(crate) async fn say_bytes(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.output.extend_from_slice(bytes);
        self.flush().await
    }

    /// Waits with what was said already sent, and what comes in meanwhile left alone.
    pub(crate) async fn pause(&mut self, time: Duration) -> Result<(), Gone> {
        self.flush().await?;
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = stopped(&mut self.stop) => Err(Gone),
        }
    }

    /// Sends what was said before and then nothing, until the client goes.
    pub(crate) async fn stall(&mut self) -> Result<(), Gone> {
        self.flush().await?;
        let mut stop = self.stop.clone();
        tokio::select! {
            () = self.discard() => Err(Gone),
            () = stopped(&mut stop) => Err(Gone),
        }
    }

    /// Ends the connection so that the client gets all that was said: a socket closed with unread
    /// input is reset, and takes replies under way with it.
    pub(crate) async fn close(mut self) {
        let mut stop = self.stop.clone();
        let farewell = async {
            self.flush().await?;
            self.stream.shutdown().await?;
            tokio::select! {
                () = self.discard() => {}
                () = stopped(&mut stop) => {}
            }
            Ok::<(), Gone>(())
        };
        let _ = timeout(LINGER, farewell).await;
    }

    async fn discard(&mut self) {
        loop {
            self.input.clear();
            self.input.reserve(CHUNK);
            if !matches!(self.stream.read_buf(&mut self.input).await, Ok(1..)) {
                return;
            }
        }
    }

    async fn leave<T>(&mut self, farewell: &str) -> Result<T, Gone> {
        self.say(farewell).await?;
        Err(Gone)
    }

    async fn read(&mut self) -> Result<(), Gone> {
        self.flush().await?;
        self.input.drain(..self.used);
        self.used = 0;
        self.input.reserve(CHUNK);
        match timeout(self.manner.patience, self.stream.read_buf(&mut self.input)).await {
            Ok(Ok(1..)) => Ok(()),
            Ok(_) => Err(Gone),
            Err(_) => self.leave("421 4.4.2 Nothing heard for too long").await,
        }
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        if !self.output.is_empty() {
            timeout(self.manner.patience, self.stream.write_all(&self.output))
                .await
                .map_err(|_| Gone)??;
            self.output.clear();
            self.stream.flush().await?;
        }
        Ok(())
    }
}
