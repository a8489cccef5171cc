//! A throw-away PostgreSQL: one cluster for the whole test process, a fresh database for each test.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// A database of its own, dropped with this value.
pub(crate) struct Database {
    name: String,
    server: &'static str,
}

/// `None` where PostgreSQL is not installed, which is said once on standard error.
///
/// `TEST_POSTGRES` names a server to use instead, by a role that may create databases:
/// `postgres://me@127.0.0.1/postgres`.
///
/// # Panics
/// When PostgreSQL is there and does not start; and when it is missing although `CI=true`.
pub(crate) fn database() -> Option<Database> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);

    let server = server()?;
    let name = format!(
        "lapwing_{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    for sql in [
        // A server of TEST_POSTGRES may hold what a killed process of the same number left.
        format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        format!("CREATE DATABASE {name}"),
    ] {
        run(server, sql).expect("the server should give this test a database");
    }
    Some(Database { name, server })
}

impl Database {
    pub(crate) fn url(&self) -> String {
        with_database(self.server, &self.name)
    }
}

impl Drop for Database {
    /// Hundreds of tests would fill the disk. What is still connected is thrown out.
    fn drop(&mut self) {
        let gone = run(
            self.server,
            format!("DROP DATABASE {} WITH (FORCE)", self.name),
        );
        if let Err(error) = gone
            && !std::thread::panicking()
        {
            panic!("{} could not be dropped: {error}", self.name);
        }
    }
}

/// A server of one's own, which may be stopped under those who use it.
pub(crate) struct Server {
    programs: PathBuf,
    keeper: Keeper,
}

impl Server {
    /// `None` where PostgreSQL is not installed, which [`database`] says.
    pub(crate) fn start() -> Option<Self> {
        let programs = programs()?;
        let keeper = Keeper::start(&programs).expect("PostgreSQL should start");
        Some(Self { programs, keeper })
    }

    pub(crate) fn url(&self) -> String {
        self.keeper.url()
    }

    /// `fast` ends the sessions, `immediate` all at once as a crash does.
    pub(crate) fn restart(&self, mode: &str) {
        let mut command = Command::new(self.programs.join("pg_ctl"));
        command
            .args(["restart", "-s", "-w", "-t", "300", "-m", mode, "-l", "log"])
            .args(["-D", "data"])
            .current_dir(&self.keeper.folder)
            .env("LC_ALL", "C");
        let folder = fs::metadata(&self.keeper.folder).expect("its folder");
        if folder.uid() != fs::metadata("/proc/self").expect("proc").uid() {
            command.uid(folder.uid()).gid(folder.gid());
        }
        let ended = command.status().expect("pg_ctl");
        assert!(ended.success(), "pg_ctl restart: {ended}");
    }
}

/// The URL of the one server; started by the first test that asks.
fn server() -> Option<&'static str> {
    static SERVER: OnceLock<Result<Option<String>, String>> = OnceLock::new();
    // Never dropped: its pipe closes when the process ends, however it ends.
    static KEEPER: OnceLock<Keeper> = OnceLock::new();

    let started = SERVER.get_or_init(|| {
        if let Ok(url) = std::env::var("TEST_POSTGRES") {
            return Ok(Some(url));
        }
        let Some(programs) = programs() else {
            let why = "PostgreSQL is not installed: no initdb on PATH or in /usr/lib/postgresql";
            if std::env::var("CI").is_ok_and(|ci| ci == "true") {
                return Err(format!("{why}, and CI must not go without it"));
            }
            // Past the harness, which shows what passing tests print to nobody.
            let _ = writeln!(io::stderr(), "skipped: {why}");
            return Ok(None);
        };
        let keeper = Keeper::start(&programs)?;
        let url = keeper.url();
        KEEPER.get_or_init(|| keeper);
        Ok(Some(url))
    });
    match started {
        Ok(url) => url.as_deref(),
        Err(why) => panic!("{why}"),
    }
}

/// The folder of `initdb`, `pg_ctl` and `postgres`: PATH first, then Debian's newest.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path)
        .filter_map(|folder| fs::canonicalize(folder.join("initdb")).ok())
        .filter_map(|initdb| initdb.parent().map(Path::to_owned));
    let version = |folder: &PathBuf| -> u32 {
        let name = folder.file_name().unwrap_or_default();
        name.to_string_lossy().parse().unwrap_or(0)
    };
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    debian.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
    on_path
        .chain(debian.into_iter().map(|folder| folder.join("bin")))
        .find(|bin| {
            ["initdb", "pg_ctl", "postgres"]
                .iter()
                .all(|program| bin.join(program).exists())
        })
}

/// The shell that starts a cluster in `$2` with the programs of `$1` and the settings `$3`, says
/// so, and takes everything away again when its input ends: by `kill -9`, too, for the kernel then
/// closes the pipe. `pg_ctl -w` does the waiting.
const KEEP: &str = r#"
trap '' PIPE
cd "$2" || exit
exec 3>&1 >>log
if "$1/initdb" -A trust -U lapwing --no-sync -E UTF8 --locale=C -D data 2>&1 3>&- &&
    printf '%s\n' "$3" >>data/postgresql.conf &&
    "$1/pg_ctl" -D data -l log -s -w -t 30 start 2>&1 3>&-
then echo ready >&3
else echo failed >&3
fi
read -r _
"$1/pg_ctl" -D data -s -m fast stop 2>&1 3>&-
cd / && rm -rf "$2"
"#;

struct Keeper {
    /// Holds the pipe whose end ends the cluster.
    _shell: Child,
    folder: PathBuf,
    port: u16,
}

impl Keeper {
    fn start(programs: &Path) -> Result<Self, String> {
        // Between finding a free port and taking it somebody else may.
        for _ in 0..5 {
            let (keeper, answer) = Self::try_start(programs).map_err(|e| e.to_string())?;
            if answer == "ready\n" {
                return Ok(keeper);
            }
            let log = fs::read_to_string(keeper.folder.join("log")).unwrap_or_default();
            if !log.contains("Address already in use") {
                return Err(format!("PostgreSQL did not start:\n{log}"));
            }
        }
        Err("PostgreSQL found no free port in five tries".to_owned())
    }

    fn url(&self) -> String {
        format!("postgres://lapwing@127.0.0.1:{}/postgres", self.port)
    }

    fn try_start(programs: &Path) -> io::Result<(Self, String)> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let folder = tempfile::Builder::new()
            .prefix("lapwing-postgres-")
            .tempdir()?
            .keep();
        let settings = [
            format!("port = {port}"),
            "listen_addresses = '127.0.0.1'".to_owned(),
            format!("unix_socket_directories = '{}'", folder.display()),
            "max_connections = 200".to_owned(),
            "fsync = off".to_owned(),
        ];
        let mut shell = Command::new("sh");
        shell
            .args(["-c", KEEP, "keeper"])
            .arg(programs)
            .arg(&folder)
            .arg(settings.join("\n"))
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // An interrupt at the terminal is for the tests; the shell sees their end.
            .process_group(0);
        // PostgreSQL refuses to run as root.
        if fs::metadata(&folder)?.uid() == 0 {
            let (uid, gid) = somebody_else()?;
            chown(&folder, Some(uid), Some(gid))?;
            shell.uid(uid).gid(gid);
        }
        let mut shell = shell.spawn()?;
        let mut answer = String::new();
        let output = shell.stdout.take().map(BufReader::new);
        if let Some(mut output) = output {
            output.read_line(&mut answer)?;
        }
        let keeper = Self {
            _shell: shell,
            folder,
            port,
        };
        Ok((keeper, answer))
    }
}

/// User and group of `postgres`, else of `nobody`.
fn somebody_else() -> io::Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        let fields = users
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>());
        let user = fields
            .filter(|user| user.len() > 3)
            .find(|user| user[0] == name)?;
        Some((user[2].parse().ok()?, user[3].parse().ok()?))
    };
    find("postgres")
        .or_else(|| find("nobody"))
        .ok_or_else(|| io::Error::other("neither postgres nor nobody is in /etc/passwd"))
}

/// On a thread of its own, for a test may already be inside a runtime.
fn run(server: &str, sql: String) -> Result<(), sqlx::Error> {
    std::thread::scope(|scope| {
        let done = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut server = PgConnection::connect(server).await?;
                sqlx::raw_sql(AssertSqlSafe(sql))
                    .execute(&mut server)
                    .await?;
                server.close().await
            })
        });
        done.join().expect("the thread should only return errors")
    })
}

/// The URL with another database in it.
fn with_database(url: &str, name: &str) -> String {
    let (head, query) = url.find('?').map_or((url, ""), |at| url.split_at(at));
    let host = head.find("://").map_or(0, |at| at + 3);
    let end = head[host..].find('/').map_or(head.len(), |at| host + at);
    format!("{}/{name}{query}", &head[..end])
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_name_of_the_database_is_replaced() {
        for (url, other) in [
            ("postgres://a@h:5/x", "postgres://a@h:5/y"),
            ("postgres://a:b@h", "postgres://a:b@h/y"),
            (
                "postgres://h/x?sslmode=require",
                "postgres://h/y?sslmode=require",
            ),
            ("postgres://h?host=/run", "postgres://h/y?host=/run"),
        ] {
            assert_eq!(with_database(url, "y"), other);
        }
    }

    #[tokio::test]
    async fn every_test_has_a_database_of_its_own() {
        let (Some(one), Some(other)) = (database(), database()) else {
            return;
        };
        for database in [&one, &other] {
            let mut connection = PgConnection::connect(&database.url()).await.unwrap();
            sqlx::raw_sql("CREATE TABLE letter (id BIGINT)")
                .execute(&mut connection)
                .await
                .unwrap();
        }
        let (gone, url) = (one.url(), other.url());
        drop(one);
        assert!(PgConnection::connect(&gone).await.is_err());
        assert!(PgConnection::connect(&url).await.is_ok());
    }

    /// Not a test: what the next one kills.
    #[test]
    #[ignore = "started by what_a_killed_process_started_ends_with_it"]
    fn holds_a_cluster_until_it_is_killed() {
        if let Some(programs) = programs() {
            let keeper = Keeper::start(&programs).unwrap();
            println!("\nholding {}", keeper.folder.display());
            io::stdin().read_line(&mut String::new()).unwrap();
        }
    }

    #[test]
    fn what_a_killed_process_started_ends_with_it() {
        if programs().is_none() {
            return;
        }
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([
                "holds_a_cluster_until_it_is_killed",
                "--ignored",
                "--nocapture",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let folder = BufReader::new(process.stdout.take().unwrap())
            .lines()
            .find_map(|line| Some(PathBuf::from(line.unwrap().strip_prefix("holding ")?)))
            .unwrap();
        let postmaster = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
        let port: u16 = postmaster.lines().nth(3).unwrap().parse().unwrap();

        process.kill().unwrap();
        process.wait().unwrap();
        // The shell inherited it, so its end is the shell's.
        let mut rest = Vec::new();
        process.stderr.unwrap().read_to_end(&mut rest).unwrap();

        assert!(!folder.exists(), "{} is still there", folder.display());
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
    }
}
