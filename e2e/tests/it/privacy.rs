use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use e2e::Spans;
use fleet::{Admin, Api, Demo, Person, Sandbox, Timeline, Urls, Worker};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::json;
use servers::{Durability, PrivateNats, PrivatePostgres};
use service::Tasks;
use test_support::{Backing, Installation, migrate_all};

/// In the ticket's row, its events and its notices: who does not find it has not looked.
const TITLE: &str = "1#楼钢筋绑扎";

/// What may be nowhere, in every form it could be written in.
struct Secrets {
    /// By their first bytes, so that one pass finds any of them.
    by_start: HashMap<[u8; START], Vec<(Vec<u8>, String)>>,
    /// Whether anything starts with these two bytes.
    begins: Vec<bool>,
}

const START: usize = 6;

impl Secrets {
    fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut all = Self { by_start: HashMap::new(), begins: vec![false; 1 << 16] };
        for secret in secrets {
            assert!(secret.len() >= START, "too short to be looked for: {secret:?}");
            for form in forms(&secret) {
                let start = form[..START].try_into().unwrap();
                all.begins[pair(&form)] = true;
                all.by_start.entry(start).or_default().push((form, secret.clone()));
            }
        }
        all
    }

    /// The secrets that `bytes` hold; ASCII letters of either case are one.
    fn in_bytes(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let bytes = bytes.to_ascii_lowercase();
        let mut found = BTreeSet::new();
        for at in 0..bytes.len().saturating_sub(START - 1) {
            let rest = &bytes[at..];
            if !self.begins[pair(rest)] {
                continue;
            }
            let candidates = self.by_start.get(&rest[..START]).into_iter().flatten();
            let held = candidates.filter(|(form, _)| rest.starts_with(form));
            found.extend(held.map(|(_, secret)| secret.as_str()));
        }
        found
    }
}

fn pair(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

/// As it is, as a dump writes bytes, as an address writes it, as JSON may write it, as base64 of whatever it stands in;
/// in small letters.
fn forms(secret: &str) -> BTreeSet<Vec<u8>> {
    let hex: Vec<String> = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let json = secret.chars().map(|letter| match letter {
        ' '..='~' => letter.to_string(),
        _ => format!("\\u{:04x}", u32::from(letter)),
    });
    let address = secret.bytes().map(|byte| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02x}"),
    });
    let mut forms = vec![secret.to_owned(), hex.concat(), json.collect(), address.collect()];
    forms.extend((0..3).flat_map(|before| in_base64(secret, before)));
    forms.into_iter().map(|form| form.to_ascii_lowercase().into_bytes()).collect()
}

/// What of a secret's base64 is the same whatever stands around it, with so many bytes before it in its group of three;
/// in the ordinary alphabet and in that of addresses.
fn in_base64(secret: &str, before: usize) -> [String; 2] {
    let bytes = [&vec![0; before][..], secret.as_bytes()].concat();
    // A letter is of the secret alone where all its six bits are.
    let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|engine| engine.encode(&bytes)[first..last].to_owned())
}

/// Every file in a folder, and what it holds.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
    files
}

fn dump(postgres: &PrivatePostgres) -> Vec<u8> {
    let program = servers::find_postgres().unwrap().bin_dir.join("pg_dump");
    let dump = Command::new(program).arg(postgres.url("sitepass")).output().unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    dump.stdout
}

/// How many rows of a table a dump holds.
fn rows(dump: &[u8], table: &str) -> usize {
    let dump = String::from_utf8_lossy(dump);
    let start = format!("COPY {table} (");
    let lines = dump.lines().skip_while(|line| !line.starts_with(&start)).skip(1);
    lines.take_while(|line| *line != r"\.").count()
}

/// What the people of the roster would not want to be read: names, phones, identity numbers, and who they are to
/// WeChat; passwords and tokens besides.
async fn secrets_of(sandbox: &Sandbox) -> BTreeSet<String> {
    let mut secrets: BTreeSet<String> =
        [fleet::PASSWORD, "eyJhbGciOi", "eyJ0eXAiOi", "wechat-secret"].map(str::to_owned).into();
    for (index, person) in sandbox.roster().await.unwrap().into_iter().enumerate() {
        secrets.insert(sandbox.openid(&format!("demo-worker-{index:02}")).await.unwrap());
        let local = person.phone.trim_start_matches("+86").to_owned();
        // The address of their picture, kept with them, leads to their face.
        let picture = format!("/realname/photos/face_{:04}", index + 1);
        secrets.extend([format!("+86{local}"), local, person.name, person.id_no, picture]);
    }
    secrets
}

/// What a good day goes without: mistakes and outages, and what they leave in logs.
async fn mishaps(urls: &Urls, demo: &Demo, sandbox: &Sandbox) {
    let roster = sandbox.roster().await.unwrap();
    let (one, other) = (&roster[9], &roster[10]);
    let mut worker = Worker::enter(&urls.gateway, one, "demo-worker-09").await.unwrap();
    let bind = json!({
        "mp_code": "demo-worker-09", "phone": one.phone, "sms_code": "000000",
        "id_no": one.id_no, "name": one.name,
    });
    let bound = worker.api().post("/api/mp/bind", &bind).await.unwrap();
    assert_ne!(bound.code, 0, "bound with a code nobody was sent");
    assert!(Admin::sign_in(&urls.gateway, &one.phone, fleet::PASSWORD).await.is_err());
    let admin = Admin::sign_in(&urls.gateway, "admin", fleet::PASSWORD).await.unwrap();
    let address = format!("/api/nowhere/{}?phone={}&name={}", one.id_no, one.phone, one.name);
    assert_eq!(Api::new(&urls.gateway).unwrap().get(&address).await.unwrap().code, 40400);
    let bad = json!({ "site_id": one.name, "keyword": one.phone });
    assert_eq!(admin.api().post("/api/admin/workers/search", &bad).await.unwrap().code, 40001);

    lists(&admin, &demo.site_id, one, other).await;

    let text = json!({ "phone": one.phone });
    worker.api().post("/api/mp/sms-codes", &text).await.unwrap().ok().unwrap();
    let again = worker.api().post("/api/mp/sms-codes", &text).await.unwrap();
    assert_ne!(again.code, 0, "a second text at once");
    for firm in ["sms", "realname", "wechat"] {
        sandbox.fault(firm, "drop_reply", 86_400).await.unwrap();
    }
    let text = json!({ "phone": other.phone });
    assert_ne!(worker.api().post("/api/mp/sms-codes", &text).await.unwrap().code, 0);
    let unbound = json!({ "site_id": demo.site_id, "bound": false, "keyword": other.name });
    let export = admin.api().request(Method::POST, "/api/admin/workers/export").json(&unbound);
    assert_eq!(export.send().await.unwrap().status(), 200);
    let sync = json!({ "site_id": demo.site_id });
    assert_ne!(admin.api().post("/api/admin/workers/sync", &sync).await.unwrap().code, 0);
    assert!(worker.bind(&urls.gateway).await.is_err(), "bound while WeChat is away");
    sandbox.heal().await.unwrap();
}

/// Lists of people, pasted and as workbooks: good ones, and ones that cannot be read.
async fn lists(admin: &Admin, site: &str, one: &Person, other: &Person) {
    let phone = |person: &Person| person.phone.trim_start_matches("+86").to_owned();
    let (api, paste) = (admin.api(), "/api/admin/work-tickets/workers/match");
    let misread = format!("{} {}", other.name, &other.id_no[1..]);
    let lines =
        [format!("{} {} {}", one.name, one.id_no, phone(one)), other.id_no.clone(), misread];
    let good = json!({ "site_id": site, "lines": lines });
    let matched = api.post(paste, &good).await.unwrap().ok().unwrap();
    assert_eq!((&matched["found"], &matched["refused"]), (&json!(2), &json!(1)));
    let bad =
        json!({ "site_id": one.name, "lines": [[one.name, one.id_no]], (one.id_no.as_str()): 1 });
    assert_eq!(api.post(paste, &bad).await.unwrap().code, 40001);
    let cut = good.to_string().replace('}', "");
    let cut = api.request(Method::POST, paste).header("content-type", "application/json").body(cut);
    assert_eq!(api.send(paste, cut).await.unwrap().code, 40002);

    let import = "/api/admin/work-tickets/workers/import";
    let mut sheet = sheets::Sheet::new(&one.name, &["姓名", "身份证号", "手机号"]);
    sheet.row([&one.name, &one.id_no, &phone(one)]);
    sheet.row([&one.name, &other.id_no, ""]);
    let book = sheets::book(vec![sheet]).unwrap();
    let upload = async |book: &[u8]| {
        let file = Part::bytes(book.to_vec()).file_name(format!("{}.xlsx", one.name));
        let form = Form::new().text("site_id", site.to_owned()).part("file", file);
        api.send(import, api.request(Method::POST, import).multipart(form)).await.unwrap()
    };
    let matched = upload(&book).await.ok().unwrap();
    assert_eq!((&matched["found"], &matched["refused"]), (&json!(1), &json!(1)));
    assert_eq!(upload(&book[..book.len() / 2]).await.code, 41501);
    assert_eq!(upload(format!("{},{}", one.name, one.id_no).as_bytes()).await.code, 41501);
}

#[test]
fn a_secret_is_found_in_every_form() {
    let secrets = Secrets::new(["测试工人01".to_owned(), "19900000001".to_owned()]);
    let name = BTreeSet::from(["测试工人01"]);
    for text in [
        "a 测试工人01 b",
        "\\xe6b58be8af95e5b7a5e4baba3031",
        "?q=%E6%B5%8B%E8%AF%95%E5%B7%A5%E4%BA%BA01",
        r#""\u6d4b\u8bd5\u5de5\u4eba01""#,
    ] {
        assert_eq!(secrets.in_bytes(text.as_bytes()), name, "{text}");
    }
    for before in ["", "a", "ab"] {
        let text = STANDARD_NO_PAD.encode(format!("{before}测试工人01 and so on"));
        assert_eq!(secrets.in_bytes(text.as_bytes()), name, "{text}");
    }
    assert_eq!(secrets.in_bytes(b"+8619900000001").len(), 1);
    assert!(secrets.in_bytes("测试工人02 19900000002 测".as_bytes()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_whole_day_nothing_personal_is_readable_at_rest_in_logs_or_in_traces() {
    let folder = tempfile::tempdir().unwrap();
    let postgres =
        PrivatePostgres::start(&folder.path().join("pg"), Durability::Durable, None).unwrap();
    let nats = PrivateNats::start(&folder.path().join("nats"), true, None).unwrap();
    migrate_all(&postgres.url("sitepass")).await;
    let backing = Backing {
        database_url: postgres.url("sitepass").replacen("postgres@", "", 1),
        nats_url: nats.url(),
        stream_prefix: "sitepass".to_owned(),
    };
    let tasks = Tasks::new();
    let (otlp, spans) = Spans::receive(&tasks).await;
    let installation = Installation::start(&backing, &["all"], Some(&otlp)).await;
    let demo = fleet::seed(&installation.urls, &Installation::video()).await.unwrap();
    fleet::play(&installation.urls, &demo, &Timeline::new(false)).await.unwrap();
    let sandbox = Sandbox::new(&installation.urls.sandbox).unwrap();
    mishaps(&installation.urls, &demo, &sandbox).await;
    let people = sandbox.roster().await.unwrap().len();
    let secrets = secrets_of(&sandbox).await;
    assert!(people >= 9 && secrets.len() > 5 * people, "the roster was not read");
    let openid = sandbox.messages().await.unwrap()[0]["openid"].as_str().unwrap().to_owned();
    assert!(secrets.contains(&openid), "messages go to somebody else");
    let (logs, blobs) = (installation.logs(), installation.blobs.clone());
    assert_eq!(
        installation.stop(),
        [Some(0)],
        "it did not stop in order, with its last spans sent"
    );
    tasks.stop();

    let dump = dump(&postgres);
    assert_eq!(rows(&dump, "directory.workers"), people, "the directory holds them all, sealed");
    let (streams, cluster) = (nats.streams(), postgres.log().parent().unwrap().to_owned());
    let server_log = nats.log();
    nats.stop().unwrap();
    postgres.stop().unwrap();

    // Deleted rows and what only the write-ahead log holds are in the cluster's folder too.
    let mut places = vec![
        (PathBuf::from("pg_dump"), dump),
        (PathBuf::from("spans"), spans.raw()),
        (server_log.clone(), std::fs::read(server_log).unwrap()),
    ];
    places.extend(logs.iter().map(|log| (log.clone(), std::fs::read(log).unwrap())));
    for folder in [&streams, &cluster, &blobs] {
        places.extend(files(folder));
    }

    let title = Secrets::new([TITLE.to_owned()]);
    for seen in [Path::new("pg_dump"), &streams, &cluster] {
        let mut here = places.iter().filter(|(path, _)| path.starts_with(seen));
        assert!(here.any(|(_, bytes)| !title.in_bytes(bytes).is_empty()), "{}", seen.display());
    }
    let started = Secrets::new(["starting".to_owned(), "TicketService".to_owned()]);
    for seen in [logs[0].as_path(), Path::new("spans")] {
        let (_, bytes) = places.iter().find(|(path, _)| path == seen).unwrap();
        assert!(!started.in_bytes(bytes).is_empty(), "{} is empty", seen.display());
    }

    let secrets = Secrets::new(secrets);
    let found: Vec<String> = places
        .iter()
        .flat_map(|(path, bytes)| {
            let found = secrets.in_bytes(bytes).into_iter();
            found.map(|secret| format!("{secret} in {}", path.display())).collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}
