//! Brings the schemas of a database up to date from the folders of `migrations/`, for development:
//! `cargo run -p service --example migrate -- --admin-url URL [--only SERVICE] [--create] [--folder DIR]`

use std::error::Error;
use std::path::PathBuf;

#[derive(Default)]
struct Asked {
    admin_url: String,
    only: Option<String>,
    create: bool,
    folder: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let asked = asked()?;
    if asked.create {
        service::migrate::create_database(&asked.admin_url).await?;
    }
    let folder = asked
        .folder
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../migrations"));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    names.retain(|name| {
        name != "platform"
            && asked
                .only
                .as_deref()
                .is_none_or(|only| only.replace('_', "-") == name.replace('_', "-"))
    });
    for name in names {
        let migrations = service::migrate::from_folder(&folder.join(&name)).await?;
        service::migrate::migrate(&asked.admin_url, &name, &migrations).await?;
    }
    Ok(())
}

fn asked() -> Result<Asked, Box<dyn Error>> {
    let mut asked = Asked::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--admin-url" => asked.admin_url = value()?,
            "--only" => asked.only = Some(value()?),
            "--folder" => asked.folder = Some(value()?.into()),
            "--create" => asked.create = true,
            _ => return Err(format!("{arg} is no option of migrate").into()),
        }
    }
    if asked.admin_url.is_empty() {
        return Err("--admin-url is missing".into());
    }
    Ok(asked)
}
