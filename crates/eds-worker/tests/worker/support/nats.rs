//! A real nats-server with JetStream.

use super::{
    CONSUMER, Child, Command, Directory, Duration, File, Path, PathBuf, STREAM, Stdio, eventually,
    free_port, fs, jetstream, service,
};

pub struct Nats {
    child: Child,
    port: u16,
    directory: Directory,
}

fn program() -> Option<PathBuf> {
    let named = std::env::var_os("EDS_NATS_SERVER").map(PathBuf::from);
    let cache = std::env::var_os("EDS_TESTBED_CACHE").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home);
        base.map(|base| base.join("eds-testbed"))
    });
    // Of several versions, the one that was built last.
    let built = || {
        let parts = fs::read_dir(cache?.join("parts")).ok()?;
        let found = parts.flatten().map(|part| part.path()).filter_map(|part| {
            let server = part.join("nats-server");
            part.file_name()?.to_str()?.starts_with("nats-").then_some(())?;
            Some((server.metadata().ok()?.modified().ok()?, server))
        });
        found.max().map(|(_, server)| server)
    };
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|dir| dir.join("nats-server")).find(|file| file.is_file())
    };
    named.or_else(built).or_else(on_path)
}

/// As whom a test connects.
pub enum Login {
    Nobody,
    User(String, String),
    /// The text of a credentials file.
    Creds(String),
    /// The paths of PEM files.
    Tls {
        ca: String,
        cert: String,
        key: String,
    },
}

impl Nats {
    /// Starts it with `config` added to its configuration, which may say where JetStream stores.
    pub async fn start_with(config: &str) -> Option<Self> {
        let hint = "testbed/build-parts nats makes it, or EDS_NATS_SERVER names one";
        let program = service("nats-server", program(), hint)?;
        let (directory, port) = (Directory::new("nats"), free_port());
        let store = format!("jetstream {{ store_dir: {:?} }}", directory.path().join("store"));
        let own = if config.contains("jetstream {") { "" } else { &store };
        let text = format!("listen: 127.0.0.1:{port}\n{own}\n{config}\n");
        fs::write(directory.path().join("nats.conf"), text).expect("nats.conf");
        let child = run(&program, &directory);
        let nats = Self { child, port, directory };
        nats.answers().await;
        Some(nats)
    }

    pub async fn start() -> Option<Self> {
        Self::start_with("").await
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    async fn answers(&self) {
        eventually("nats-server listens", 10.0, async || {
            tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.ok()
        })
        .await;
    }

    pub async fn context(&self) -> jetstream::Context {
        self.context_of(&Login::Nobody).await
    }

    /// Connects as somebody.
    pub async fn context_of(&self, login: &Login) -> jetstream::Context {
        let options = async_nats::ConnectOptions::new().connection_timeout(Duration::from_secs(5));
        let options = match login {
            Login::Nobody => options,
            Login::User(user, password) => {
                options.user_and_password(user.clone(), password.clone())
            }
            Login::Creds(text) => options.credentials(text).expect("credentials"),
            Login::Tls { ca, cert, key } => options
                .add_root_certificates(ca.into())
                .add_client_certificate(cert.into(), key.into()),
        };
        jetstream::new(options.connect(self.url()).await.expect("a connection"))
    }

    /// Stops it as a crash would. The store stays.
    pub fn stop(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// Makes it forget what it delivered, like a server that is killed before it has written that
    /// down.
    pub fn forget_deliveries(&self) {
        let store = self.directory.path().join("store/jetstream/$G/streams").join(STREAM);
        let state = store.join("obs").join(CONSUMER).join("o.dat");
        fs::remove_file(state).expect("the consumer's state");
    }

    pub async fn start_again(&mut self) {
        self.child = run(&program().expect("it was here before"), &self.directory);
        self.answers().await;
    }
}

fn run(program: &Path, directory: &Directory) -> Child {
    let log =
        File::options().create(true).append(true).open(directory.path().join("log")).expect("log");
    Command::new(program)
        .arg("--config")
        .arg(directory.path().join("nats.conf"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("log"))
        .stderr(log)
        .spawn()
        .expect("nats-server")
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            let tail: Vec<_> = log.lines().rev().take(15).collect();
            eprintln!("--- nats-server's log, newest first\n{}", tail.join("\n"));
        }
    }
}
