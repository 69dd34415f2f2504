//! Lists: how long the server takes for each page of the console and each list of the API, in the workspace of
//! `bellwire demo --size large`. One reader, one request after the other, over one connection: this is how long people wait.

use std::{process::Stdio, time::Duration};

use bytes::Bytes;
use clap::Args;
use hyper::HeaderMap;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{Failure, connection::Connection, receiver::micros_now};

/// Opens every list of a large workspace, and prints how long each took
#[derive(Args)]
pub(crate) struct Pages {
    /// How often each
    #[arg(long, default_value_t = 30)]
    count: usize,
    /// How many webhooks the workspace has
    #[arg(long, default_value_t = 10_000)]
    webhooks: usize,
}

/// What no list may take longer than.
const BAR: Duration = Duration::from_millis(50);

/// Pages of the console with each sort, filter and search: one that finds much, one that finds one, one that finds nothing.
const CONSOLE: &[(&str, &[&str])] = &[
    (
        "/webhooks",
        &[
            "",
            "sort=url",
            "sort=url&order=desc",
            "sort=owner",
            "sort=created_at",
            "sort=status",
            "sort=status&order=desc",
            "page=200",
            "page=2000",
            "sort=url&page=200",
            "q=customer",
            "q=customer+9999",
            "q=nowhere",
            "sort=url&q=nowhere",
            "status=active",
            "status=inactive",
            "status=failing",
            "sort=url&status=failing",
            "sort=url&status=inactive",
            "actor_type=users",
            "actor_type=state_changes",
            "sort=owner&actor_type=users&status=inactive",
        ],
    ),
    (
        "/users",
        &[
            "",
            "sort=name&order=desc",
            "sort=email",
            "sort=joined_at",
            "sort=status",
            "page=200",
            "page=2000",
            "q=ada",
            "q=user99999%40",
            "q=nobody",
            "sort=email&q=nobody",
            "status=active",
            "status=blocked",
            "sort=joined_at&status=blocked",
        ],
    ),
    ("/groups", &["", "sort=members", "sort=owner", "sort=created_at", "page=20", "q=team", "q=team+999", "q=nothing"]),
    ("/invites", &["", "sort=email", "sort=expires_at", "sort=status", "q=nobody", "status=accepted"]),
    ("/roles", &[""]),
    ("/roles/matrix", &[""]),
    ("/api-keys", &["", "sort=name", "q=automation"]),
    ("/license", &[""]),
    ("/settings", &[""]),
    ("/profile", &[""]),
    ("/webhooks/new", &[""]),
    ("/invites/new", &[""]),
    ("/groups/new", &[""]),
    ("/roles/new", &[""]),
    ("/api-keys/new", &[""]),
    (
        "/events",
        &[
            "",
            "type=group.member_added",
            "type=user.left",
            "actor_type=groups",
            "actor_type=roles",
            "q=nothing",
            "object=nothing",
            "from=2020-01-01&until=2020-01-02",
        ],
    ),
];

/// Pages of one thing: where the API lists it, and its pages with `{}` for its id. The oldest webhook has most deliveries.
const ONE: &[(&str, &[&str])] = &[
    (
        "/api/v1/webhooks?limit=1&sort=created_at&order=asc",
        &["/webhooks/{}", "/webhooks/{}?state=failed", "/webhooks/{}?type=user.left", "/webhooks/{}/edit"],
    ),
    ("/api/v1/groups?limit=1", &["/groups/{}", "/groups/{}/members/add", "/groups/{}/edit"]),
    ("/api/v1/roles", &["/roles/{}"]),
    ("/api/v1/events?limit=1", &["/events/{}"]),
];

/// Lists of the API.
const API: &[(&str, &[&str])] = &[
    ("/api/v1/webhooks", &["", "limit=200", "sort=url", "sort=owner", "sort=status&order=desc", "search=nowhere"]),
    ("/api/v1/users", &["", "limit=200", "sort=email", "search=nobody", "status=blocked"]),
    ("/api/v1/groups", &["", "limit=200", "search=nothing"]),
    ("/api/v1/invites", &[""]),
    ("/api/v1/roles", &[""]),
    ("/api/v1/api-keys", &[""]),
    ("/api/v1/events", &["", "limit=200", "type=user.left", "actor_type=roles"]),
    ("/api/v1/license/credits", &[""]),
];

/// The demo, killed when it is dropped.
struct Demo {
    _child: Child,
    authority: String,
    key: String,
    /// Of the console.
    cookie: String,
}

impl Demo {
    async fn start(webhooks: usize) -> Result<Self, Failure> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let authority = format!("127.0.0.1:{port}");
        let mut child = Command::new(crate::server_binary()?)
            .args(["demo", "--size", "large", "--webhooks", &webhooks.to_string()])
            .env("BELLWIRE_LISTEN", &authority)
            .env("BELLWIRE_LOG", "warn")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
        let (mut email, mut password, mut key) = (String::new(), String::new(), String::new());
        while key.is_empty() {
            let line = lines.next_line().await?.ok_or("the demo ended")?;
            if let Some((before, after)) = line.split_once(" with the password: ") {
                before.trim_start_matches("Sign in as ").clone_into(&mut email);
                after.clone_into(&mut password);
            }
            if let Some((_, secret)) = line.split_once("API key: ") {
                secret.clone_into(&mut key);
            }
        }
        // Whoever stops reading is not written to any more: the demo must never find its standard output closed.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let form = format!("email={}&password={}", email.replace('@', "%40"), password.replace(' ', "+"));
        let origin = format!("http://{authority}");
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", origin.as_str())];
        let (status, answer, _) =
            Connection::open(&authority).await?.whole("POST", "/sign-in", &headers, form.into()).await?;
        let cookie = session(&answer).ok_or_else(|| format!("signing in: {status}"))?;
        Ok(Self { _child: child, authority, key, cookie })
    }
}

fn session(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    cookies.filter_map(|line| line.split(';').next()).find(|pair| pair.starts_with("session=")).map(str::to_owned)
}

impl Pages {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let begun = micros_now();
        let demo = Demo::start(self.webhooks).await?;
        println!("Seeded in {:.1} s.\n", Duration::from_micros(micros_now() - begun).as_secs_f64());
        println!("| path | p50 ms | p99 ms |\n|---|--:|--:|");
        let bearer = format!("Bearer {}", demo.key);
        let console = [("cookie", demo.cookie.as_str())];
        let api = [("authorization", bearer.as_str())];
        let mut connection = Connection::open(&demo.authority).await?;
        let mut slow = 0;
        for (lists, headers) in [(CONSOLE, &console), (API, &api)] {
            for (path, queries) in lists {
                for query in *queries {
                    let path = if query.is_empty() { (*path).to_owned() } else { format!("{path}?{query}") };
                    slow += usize::from(self.measure(&mut connection, &path, headers).await? > BAR);
                }
            }
        }
        for (list, pages) in ONE {
            let (_, answer) = connection.exchange("GET", list, &api, Bytes::new()).await?;
            let answer: serde_json::Value = serde_json::from_slice(&answer)?;
            let id = answer["data"][0]["id"].as_str().ok_or_else(|| format!("{list} has nothing"))?;
            for page in *pages {
                let path = page.replace("{}", id);
                slow += usize::from(self.measure(&mut connection, &path, &console).await? > BAR);
            }
        }
        println!("\n{slow} of them take longer than {} ms (p50).", BAR.as_millis());
        Ok(())
    }

    /// Prints a line; returns the median.
    async fn measure(
        &self,
        connection: &mut Connection,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Duration, Failure> {
        let mut times = Vec::with_capacity(self.count);
        for _ in 0..self.count.max(1) {
            let begun = micros_now();
            let (status, body) = connection.exchange("GET", path, headers, Bytes::new()).await?;
            times.push(Duration::from_micros(micros_now() - begun));
            if !status.is_success() {
                return Err(format!("{path}: {status} {}", String::from_utf8_lossy(&body)).into());
            }
        }
        times.sort();
        let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let mark = if at(50) > BAR { " **slow**" } else { "" };
        println!("| `{path}`{mark} | {:.1} | {:.1} |", milliseconds(at(50)), milliseconds(at(99)));
        Ok(at(50))
    }
}
