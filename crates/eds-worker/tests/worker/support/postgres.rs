//! A real PostgreSQL from Debian's package, which refuses to run as root.

use super::{
    Child, Command, Directory, File, Path, PathBuf, Stdio, eventually, free_port, fs, service,
    signal,
};

use sqlx::{Connection, PgConnection};

pub struct Postgres {
    child: Child,
    port: u16,
    programs: PathBuf,
    directory: Directory,
}

/// Finds the newest: Debian keeps one directory of programs for each major version.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let installed = versions.flatten().map(|version| version.path().join("bin"));
    let on_path =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut found: Vec<_> = installed
        .chain(on_path.into_iter().flatten())
        .filter(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
        .collect();
    found.sort();
    found.pop()
}

/// Runs `program`, as somebody else if we are root.
fn command(program: &Path) -> Command {
    let root =
        fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
    let mut command = if root { Command::new("setpriv") } else { Command::new(program) };
    if root {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(program);
    }
    command.stdin(Stdio::null()).current_dir("/");
    command
}

impl Postgres {
    /// Starts it with only an empty database `worker`; user `worker`, password `right`.
    pub async fn start() -> Option<Self> {
        let hint = "apt-get install postgresql";
        let programs = service("PostgreSQL", programs(), hint)?;
        let (directory, port) = (Directory::new("postgres"), free_port());
        fs::write(directory.path().join("password"), "right\n").expect("password");
        for path in [directory.path().to_owned(), directory.path().join("password")] {
            // Only root can do this, and only root needs to.
            let _ = std::os::unix::fs::chown(path, Some(65534), Some(65534));
        }
        let made = command(&programs.join("initdb"))
            .arg("--pgdata")
            .arg(directory.path().join("data"))
            .arg(format!("--pwfile={}", directory.path().join("password").display()))
            .args([
                "--username=worker",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .output()
            .expect("initdb");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let child = run(&programs, port, &directory);
        let postgres = Self { child, port, programs, directory };
        postgres.answers().await;
        let mut connection = postgres.connect("postgres").await.expect("a connection");
        sqlx::query("CREATE DATABASE worker").execute(&mut connection).await.expect("the database");
        Some(postgres)
    }

    /// Starts it migrated, by the command that an init container runs.
    pub async fn migrated() -> Option<Self> {
        let postgres = Self::start().await?;
        let done = postgres.migrate(&postgres.url()).status().expect("migrate");
        assert!(done.success(), "migrate: {done}");
        Some(postgres)
    }

    pub fn migrate(&self, url: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agent-executor"));
        command.arg("migrate").env_clear().env("DATABASE_URL", url);
        command.env("WORKER_LOG_LEVEL", "error");
        command
    }

    pub fn url(&self) -> String {
        self.url_of("worker:right", "worker")
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url_of(&self, login: &str, database: &str) -> String {
        format!("postgres://{login}@127.0.0.1:{}/{database}", self.port)
    }

    async fn connect(&self, database: &str) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect(&self.url_of("worker:right", database)).await
    }

    async fn answers(&self) {
        eventually("PostgreSQL answers", 20.0, async || self.connect("postgres").await.ok()).await;
    }

    /// Returns the one number that `query` yields.
    pub async fn number(&self, query: &'static str) -> i64 {
        let mut connection = self.connect("worker").await.expect("a connection");
        sqlx::query_scalar(query).fetch_one(&mut connection).await.expect(query)
    }

    pub async fn execute(&self, statements: &'static str) {
        let mut connection = self.connect("worker").await.expect("a connection");
        sqlx::raw_sql(statements).execute(&mut connection).await.expect(statements);
    }

    pub async fn rows(&self) -> i64 {
        self.number("SELECT count(*) FROM agent_executions").await
    }

    /// Stops it with SIGINT: PostgreSQL's fast shutdown, which cuts connections.
    pub fn stop(&mut self) {
        signal(&self.child, "INT");
        self.child.wait().expect("wait");
    }

    pub async fn start_again(&mut self) {
        self.child = run(&self.programs, self.port, &self.directory);
        self.answers().await;
    }
}

fn run(programs: &Path, port: u16, directory: &Directory) -> Child {
    let log =
        File::options().create(true).append(true).open(directory.path().join("log")).expect("log");
    command(&programs.join("postgres"))
        .arg("-D")
        .arg(directory.path().join("data"))
        .args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
            "-c",
            "fsync=off",
        ])
        .args(["-c", "max_connections=40", "-c", "shared_buffers=8MB", "-p", &port.to_string()])
        .stdout(log.try_clone().expect("log"))
        .stderr(log)
        .spawn()
        .expect("postgres")
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGKILL would leave shared memory behind; immediate shutdown does not.
        if matches!(self.child.try_wait(), Ok(None)) {
            signal(&self.child, "QUIT");
        }
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            let tail: Vec<_> = log.lines().rev().take(15).collect();
            eprintln!("--- PostgreSQL's log, newest first\n{}", tail.join("\n"));
        }
    }
}
