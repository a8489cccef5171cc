//! What a service shows over HTTP: that it lives, that it can work, and what it counts.
//!
//! Nobody is asked who he is, and nobody can change anything; who has a letter can propose to get no more of
//! them. Requests are not logged: whoever asks whether
//! all is well does so every few seconds.

mod ask;
mod opt_out;
mod show;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;

use crate::config::Config;
use crate::model::{Clock, Progress, Timestamp};
use crate::store::Store;
pub use ask::is_ready;
use opt_out::Pages;
use show::Limits;

/// Whoever asks whether all is well does not wait for longer.
const PATIENCE: Duration = Duration::from_secs(4);

/// For so long what was counted in the database is told again, by whomever it is asked.
const KEPT: Duration = Duration::from_secs(5);

/// Of what is sent to us, which says nothing that we would read.
const LONGEST_BODY: usize = 1024;

/// For requests that are under way when all shall end.
const FAREWELL: Duration = Duration::from_secs(2);

/// A service as it shows itself.
#[derive(Debug)]
pub struct Site {
    listener: TcpListener,
    house: Arc<House>,
}

#[derive(Debug)]
struct House {
    store: Store,
    clock: Clock,
    /// Stopped, it takes no more work.
    progress: Arc<Progress>,
    started_at: Timestamp,
    limits: Limits,
    pages: Pages,
    /// When it was counted, and what.
    counted: Mutex<Option<(Instant, String)>>,
}

/// Why there is no site.
#[derive(Debug)]
pub struct Closed {
    pub told: String,
    /// Somebody else listens there.
    pub is_taken: bool,
}

impl Site {
    /// Where one is wished for by `http.listen`.
    ///
    /// # Errors
    /// What is wrong with that setting, or with the words of its pages.
    pub async fn open(
        config: &Config,
        store: &Store,
        clock: Clock,
        progress: &Arc<Progress>,
    ) -> Result<Option<Self>, Closed> {
        let address = config.http.listen().map_err(|told| Closed {
            told,
            is_taken: false,
        })?;
        let Some(address) = address else {
            return Ok(None);
        };
        // Without a public address no letter has a link, and nobody looks at an installation's own words.
        let own = (!config.http.public.is_empty()).then_some(&config.letter.templates);
        let pages =
            Pages::load(own.map_or(Path::new(""), PathBuf::as_path)).map_err(|error| Closed {
                told: error.to_string(),
                is_taken: false,
            })?;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| closed(address, &error))?;
        Ok(Some(Self {
            listener,
            house: Arc::new(House {
                store: store.clone(),
                clock,
                progress: Arc::clone(progress),
                started_at: clock.now(),
                limits: Limits::from_config(config),
                pages,
                counted: Mutex::default(),
            }),
        }))
    }

    /// Where it listens, once it does.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Shows itself for as long as the work takes: also while that comes to its end.
    pub async fn beside<T>(self, work: impl Future<Output = T>) -> T {
        let (over, is_over) = oneshot::channel::<()>();
        let paths = Router::new()
            .route("/livez", get(livez))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .route(
                "/opt-out/{token}",
                get(opt_out::page).post(opt_out::propose),
            )
            .layer(DefaultBodyLimit::max(LONGEST_BODY))
            .with_state(self.house);
        let serving = axum::serve(self.listener, paths).with_graceful_shutdown(async {
            let _ = is_over.await;
        });
        let serving = tokio::spawn(serving.into_future());
        let done = work.await;
        drop(over);
        let _ = timeout(FAREWELL, serving).await;
        done
    }
}

fn closed(address: SocketAddr, error: &io::Error) -> Closed {
    let is_taken = error.kind() == io::ErrorKind::AddrInUse;
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program, or another Lapwing, listens there; take another port, or \"\" for none"
        }
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address",
        io::ErrorKind::PermissionDenied => "take a port above 1023",
        _ => "take another address or port",
    };
    Closed {
        told: format!("http.listen: {address}: {error}: {remedy}"),
        is_taken,
    }
}

async fn livez() -> &'static str {
    "alive\n"
}

/// 200 while it takes work; else 503 and why.
async fn readyz(State(house): State<Arc<House>>) -> Response {
    let why = if house.progress.is_stopped() {
        "draining: it ends after what is in hand".to_owned()
    } else {
        match timeout(PATIENCE, house.store.ready()).await {
            Ok(Ok(())) => return "ready\n".into_response(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the database does not answer".to_owned(),
        }
    };
    (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response()
}

/// Where the database does not answer, what this process has counted, and that it does not.
async fn metrics(State(house): State<Arc<House>>) -> Response {
    // One counts, and the others wait for it.
    let mut counted = house.counted.lock().await;
    let kept = counted.take().filter(|(at, _)| at.elapsed() < KEPT);
    let (at, text) = match kept {
        Some(kept) => kept,
        None => {
            let now = house.clock.now();
            let overview = timeout(PATIENCE, house.store.overview(now)).await;
            let overview = overview.ok().and_then(Result::ok);
            let text = show::text(overview.as_ref(), &house.limits, house.started_at, now);
            (Instant::now(), text)
        }
    };
    let answer = text.clone();
    *counted = Some((at, text));
    ([(header::CONTENT_TYPE, show::CONTENT_TYPE)], answer).into_response()
}
