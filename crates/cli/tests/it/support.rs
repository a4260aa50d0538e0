//! A sandbox gateway in this process, and the server as a process of its own that can be killed.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use billfold_sandbox::{CompleteSession, Sandbox, SandboxConfig, SandboxControl};
use billfold_testkit::postgres::ThrowAwayPostgres;
use billfold_testkit::process::free_port;
use reqwest::Method;
use serde_json::{Value, json};

pub(crate) const CALLBACK_TOKEN: &str = "CANARY-callback-token";
pub(crate) const SECRET_KEY: &str = "xnd_development_CANARY-secret-key";
const PATIENCE: Duration = Duration::from_mins(1);

/// The program.
pub(crate) fn billfold() -> Command {
    Command::new(env!("CARGO_BIN_EXE_billfold"))
}

/// How a world differs from the usual one.
pub(crate) struct Options {
    pub(crate) customers: &'static str,
    pub(crate) strict_recurring: bool,
    /// When the sweeper asks, in seconds after a session's start.
    pub(crate) ask_after_seconds: &'static [u64],
    /// More lines of `[vault]`.
    pub(crate) vault: &'static str,
}

impl Default for Options {
    fn default() -> Self {
        Self { customers: "directory", strict_recurring: true, ask_after_seconds: &[3600], vault: "" }
    }
}

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) port: u16,
    /// The database's URL.
    pub(crate) database: String,
    http: reqwest::Client,
    pub(crate) api_key: String,
    server: Option<Child>,
}

/// Runs a story on a SQLite file, and on PostgreSQL where there is one.
pub(crate) async fn on_both<F: Future<Output = ()>>(options: fn() -> Options, story: impl Fn(World) -> F) {
    story(World::start(options(), None).await).await;
    if let Some(database) = ThrowAwayPostgres::database().await {
        story(World::start(options(), Some(database.url)).await).await;
    }
}

impl World {
    pub(crate) async fn start(options: Options, database: Option<String>) -> Self {
        let sandbox = Sandbox::start(SandboxConfig {
            secret_key: SECRET_KEY.into(),
            callback_token: CALLBACK_TOKEN.into(),
            strict_recurring: options.strict_recurring,
            // A webhook that is not answered in time is not sent again.
            webhook_timeout: PATIENCE,
            ..SandboxConfig::default()
        });
        let sandbox = sandbox.await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let database =
            database.unwrap_or_else(|| format!("sqlite://{}/billfold.db", folder.path().display()));
        std::fs::write(
            folder.path().join("billfold.toml"),
            configuration(&options, &sandbox, port, &database),
        )
        .unwrap();
        let webhook = format!("http://127.0.0.1:{port}/webhooks/main");
        sandbox.control().set_webhook(Some(webhook.parse().unwrap()), None);
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let mut world = Self { sandbox, folder, port, database, http, api_key: String::new(), server: None };
        world.api_key = world.issue(&["payments", "vault", "vault_reveal", "erase", "webhooks", "admin"]);
        world.start_server().await;
        world
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("billfold.toml")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// A new API key with these scopes.
    pub(crate) fn issue(&self, scopes: &[&str]) -> String {
        let mut args = vec!["keys", "create", "--name", "test"];
        args.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
        self.ok(&args)["secret"].as_str().unwrap().to_owned()
    }

    /// Runs the program, which must succeed; what it printed with `--json`.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// Runs the program until it succeeds, because the server may hold what it needs; what it printed with `--json`.
    pub(crate) async fn ok_at_last(&self, args: &[&str]) -> Value {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let output = self.run(&[args, &["--json"]].concat());
            if output.status.success() {
                return serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
            }
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(tokio::time::Instant::now() < deadline, "{args:?}: {said}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Runs the program, which must fail and say this.
    #[track_caller]
    pub(crate) fn fails(&self, args: &[&str], expected: &str) {
        let output = self.run(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains(expected), "expected {expected:?} in {said:?}");
        assert!(!said.contains("CANARY"), "{said}");
    }

    /// Changes the configuration file; the server has to be started again.
    pub(crate) fn configure(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), change(text)).unwrap();
    }

    /// The one value that a query gives, as text; empty when there is none.
    pub(crate) async fn query(&self, query: &str) -> String {
        if let Some(path) = self.database.strip_prefix("sqlite://") {
            use diesel::{Connection as _, RunQueryDsl as _};
            let mut conn = diesel::SqliteConnection::establish(path).unwrap();
            let query = diesel::sql_query(format!("SELECT CAST(({query}) AS TEXT) AS value"));
            let rows: Vec<Row> = query.load(&mut conn).unwrap();
            return rows[0].value.clone().unwrap_or_default();
        }
        let (client, connection) =
            tokio_postgres::connect(&self.database, tokio_postgres::NoTls).await.unwrap();
        let run = async {
            let row = client.query_one(&format!("SELECT CAST(({query}) AS TEXT)"), &[]).await.unwrap();
            drop(client);
            row.get::<_, Option<String>>(0).unwrap_or_default()
        };
        let (value, ended) = tokio::join!(run, connection);
        ended.unwrap();
        value
    }

    /// Runs SQL that no program of ours would.
    pub(crate) async fn sql(&self, statements: &str) {
        if let Some(path) = self.database.strip_prefix("sqlite://") {
            use diesel::Connection as _;
            use diesel::connection::SimpleConnection as _;
            let mut conn = diesel::SqliteConnection::establish(path).unwrap();
            conn.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
            return conn.batch_execute(statements).unwrap();
        }
        let (client, connection) =
            tokio_postgres::connect(&self.database, tokio_postgres::NoTls).await.unwrap();
        let run = async {
            client.batch_execute(statements).await.unwrap();
            drop(client);
        };
        let ((), ended) = tokio::join!(run, connection);
        ended.unwrap();
    }

    /// Runs the program with this world's configuration.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        billfold().args(args).arg("--config").arg(self.config()).output().unwrap()
    }

    pub(crate) async fn start_server(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        self.start_server_that_prints(Stdio::null(), log.into()).await;
    }

    pub(crate) async fn start_server_that_prints(&mut self, out: Stdio, log: Stdio) {
        let mut command = billfold();
        command.arg("serve").arg("--config").arg(self.config());
        self.server = Some(command.stdout(out).stderr(log).spawn().unwrap());
        let ready = format!("http://127.0.0.1:{}/readyz", self.port);
        eventually("the server is ready", || async {
            self.http.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }

    /// SIGKILL: nothing is finished, nothing flushed.
    pub(crate) fn kill9(&mut self) {
        let mut server = self.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// SIGTERM, and its exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let mut server = self.server.take().unwrap();
        let told = Command::new("kill").arg(server.id().to_string()).status().unwrap();
        assert!(told.success());
        server.wait().unwrap().code()
    }

    pub(crate) fn control(&self) -> SandboxControl {
        self.sandbox.control()
    }

    pub(crate) fn server_log(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// A request to the API: status and body.
    pub(crate) async fn api(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.api_as(&self.api_key, method, path, body).await
    }

    /// A request with another API key.
    pub(crate) async fn api_as(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let mut request = self.http.request(method, url).bearer_auth(key);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    /// An answer that is no JSON, asked for without a key.
    pub(crate) async fn text(&self, path: &str) -> String {
        let answer = self.http.get(format!("http://127.0.0.1:{}{path}", self.port)).send().await.unwrap();
        answer.text().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.api(Method::GET, path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// Starts a session for a customer; the answer.
    pub(crate) async fn start_session(&self, customer: &str) -> Value {
        let (status, session) = self.api(Method::POST, "/v1/sessions", Some(&request(customer))).await;
        assert_eq!(status, 201, "{session}");
        session
    }

    /// The gateway's id of the newest session.
    pub(crate) fn gateway_session(&self) -> String {
        let sessions = self.control().sessions();
        sessions.last().unwrap()["payment_session_id"].as_str().unwrap().to_owned()
    }

    /// The customer saves a card on the hosted page of the newest session.
    pub(crate) fn complete(&self) {
        let done = self.control().complete(&self.gateway_session(), &CompleteSession::default());
        assert!(done.is_some(), "the session is not open at the gateway");
    }

    /// The customer's browser comes back; where it is sent.
    pub(crate) async fn come_back(&self) -> String {
        let sessions = self.control().sessions();
        let address = sessions.last().unwrap()["success_return_url"].as_str().unwrap().to_owned();
        let answer = self.http.get(address).send().await.unwrap();
        assert_eq!(answer.status(), 303, "the return");
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    pub(crate) async fn webhook(&self, tokens: &[&str], body: &str) -> u16 {
        let mut request = self.http.post(format!("http://127.0.0.1:{}/webhooks/main", self.port));
        for token in tokens {
            request = request.header("x-callback-token", *token);
        }
        request.body(body.to_owned()).send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn status_of(&self, session: &Value) -> String {
        let id = session["id"].as_str().unwrap();
        self.get(&format!("/v1/sessions/{id}")).await["status"].as_str().unwrap().to_owned()
    }

    /// Waits until a session is in a status.
    pub(crate) async fn until(&self, session: &Value, status: &str) {
        eventually(&format!("the session is {status}"), || async { self.status_of(session).await == status })
            .await;
    }

    pub(crate) async fn methods(&self, customer_id: &str) -> Vec<Value> {
        let list = self.get(&format!("/v1/customers/{customer_id}/payment-methods")).await;
        list["data"].as_array().unwrap().clone()
    }

    /// Exactly one method was saved, and nothing waits.
    pub(crate) async fn saved_once(&self, session: &Value) {
        self.until(session, "completed").await;
        let customer = session["customer_id"].as_str().unwrap();
        self.quiet().await;
        assert_eq!(self.methods(customer).await.len(), 1);
        let events = self.get("/v1/events?limit=100").await;
        let names: Vec<&str> =
            events["data"].as_array().unwrap().iter().filter_map(|event| event["type"].as_str()).collect();
        assert_eq!(names.iter().filter(|name| **name == "payment_method.saved").count(), 1, "{names:?}");
        assert_eq!(names.iter().filter(|name| **name == "session.completed").count(), 1, "{names:?}");
    }

    /// Waits until every webhook that came was worked on.
    pub(crate) async fn quiet(&self) {
        eventually("no webhook waits", || async {
            let waiting = self.get("/v1/deliveries?state=received").await;
            waiting["data"].as_array().unwrap().is_empty()
        })
        .await;
    }

    /// No secret of this world may be in what was printed or stored.
    pub(crate) fn no_canaries(&self) {
        let mut tokens: Vec<String> = self
            .control()
            .tokens()
            .iter()
            .map(|token| token["payment_token_id"].as_str().unwrap().to_owned())
            .collect();
        tokens.extend(
            ["CANARY-callback-token", "CANARY-secret-key", "CANARY@example.com", "/pay/"].map(str::to_owned),
        );
        tokens.push(self.api_key.clone());
        for file in ["billfold.db", "billfold.db-wal", "server.log"] {
            let Ok(bytes) = std::fs::read(self.folder.path().join(file)) else { continue };
            for canary in &tokens {
                let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
                assert!(!found, "{file} contains {canary}");
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the server's log ---\n{}", self.server_log());
        }
    }
}

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
    value: Option<String>,
}

pub(crate) fn request(customer: &str) -> Value {
    json!({
        "customer": {"reference": customer, "given_names": "Lorem", "email": "CANARY@example.com"},
        "usage": "unscheduled_customer", "currency": "IDR", "country": "ID",
        "return_url": "https://shop.example/done",
    })
}

fn configuration(options: &Options, sandbox: &Sandbox, port: u16, database: &str) -> String {
    let Options { customers, ask_after_seconds, vault, .. } = options;
    let base_url = sandbox.base_url();
    format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\ndevelopment = true\n\n\
         [database]\nurl = \"{database}\"\n\n\
         [vault]\nroot_key = \"{ROOT_KEY}\"\n{vault}\n\
         [log]\nfilter = \"trace,hyper=info,hyper_util=info,h2=info\"\n\n\
         [workers]\ninterval_ms = 100\nask_after_seconds = {ask_after_seconds:?}\nlease_seconds = 2\n\n\
         [gateways.main]\nprovider = \"xendit\"\nmode = \"test\"\n\n\
         [gateways.main.settings]\nbase_url = \"{base_url}\"\nsecret_key = \"{SECRET_KEY}\"\n\
         callback_token = \"{CALLBACK_TOKEN}\"\ncustomers = \"{customers}\"\n"
    )
}

/// The same in every world, so that a database can be opened again.
pub(crate) const ROOT_KEY: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";

/// Waits until something holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, check: impl Fn() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !check().await {
        assert!(tokio::time::Instant::now() < deadline, "it did not come about that {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A configuration file with this text.
pub(crate) fn config_file(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("billfold.toml");
    std::fs::write(&file, text).unwrap();
    file
}
