use std::path::Path;

use anyhow::{Context, Result};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::api::text;
use crate::{PASSWORD, Urls};

/// The demo's site and what is on it.
#[derive(Debug, Clone)]
pub struct Demo {
    pub site_id: String,
    pub contractor_id: String,
    /// 1#楼A区 and 2#楼B区: id, and the access group of their door.
    pub area_a: (String, String),
    pub area_b: (String, String),
    pub video_id: String,
}

const SITE: &str = "示例工地";
/// Under which code the sandbox's real-name system knows it.
const PROJECT: &str = "65999920260001";
const CONTRACTORS: [&str; 2] = ["示例建工第一工程公司", "示例建工第二工程公司"];
const AREAS: [(&str, &str); 2] = [("1#楼A区", "acg_01"), ("2#楼B区", "acg_02")];
const VIDEO: &str = "高处作业安全";

/// Makes the demo's site, contractors, areas, doors, video and accounts and reads the roster. What exists stays.
pub async fn seed(urls: &Urls, video: &Path) -> Result<Demo> {
    let admin = Admin::sign_in(&urls.gateway, "admin", PASSWORD).await?;
    let new_site = json!({ "name": SITE, "settings": { "realname_project": PROJECT } });
    let site =
        admin.ensure("/api/admin/sites?x=", "name", SITE, "/api/admin/sites", &new_site).await?;
    let site_id = text(&site, "site_id");

    let mut contractor_ids = Vec::new();
    for name in CONTRACTORS {
        let list = format!("/api/admin/contractors?site_id={site_id}");
        let body = json!({ "name": name, "site_ids": [site_id] });
        let row = admin.ensure(&list, "name", name, "/api/admin/contractors", &body).await?;
        contractor_ids.push(text(&row, "contractor_id"));
    }
    let mut areas = Vec::new();
    for (name, group) in AREAS {
        let list = format!("/api/admin/areas?site_id={site_id}");
        let body = json!({ "site_id": site_id, "name": name, "access_group_id": group });
        let row = admin.ensure(&list, "name", name, "/api/admin/areas", &body).await?;
        areas.push((text(&row, "area_id"), group.to_owned()));
    }
    for (area, group) in &areas {
        let device_id = format!("door-{group}");
        let list = format!("/api/admin/devices?site_id={site_id}");
        let body = json!({
            "device_id": device_id, "site_id": site_id, "name": format!("{group} 门"),
            "area_ids": [area], "direction": "both",
        });
        admin.ensure(&list, "device_id", &device_id, "/api/admin/devices", &body).await?;
    }
    let sync = json!({ "site_id": site_id });
    admin.post("/api/admin/workers/sync", &sync).await.context("read the roster")?;
    let video_id = ensure_video(&admin, &site_id, video).await?;
    let contractor_id = contractor_ids.swap_remove(0);
    ensure_contractor_account(urls, &admin, &site_id, &contractor_id).await?;
    let area_b = areas.pop().context("two areas")?;
    let area_a = areas.pop().context("two areas")?;
    Ok(Demo { site_id, contractor_id, area_a, area_b, video_id })
}

async fn ensure_video(admin: &Admin, site_id: &str, video: &Path) -> Result<String> {
    let find = |rows: Vec<Value>| rows.into_iter().find(|row| row["title"] == VIDEO);
    let list = format!("/api/admin/videos?site_id={site_id}");
    if let Some(row) = find(admin.all(&list).await?) {
        return Ok(text(&row, "video_id"));
    }
    let bytes = std::fs::read(video).with_context(|| format!("read {}", video.display()))?;
    let file = Part::bytes(bytes).file_name("safety.mp4").mime_str("video/mp4")?;
    let form =
        Form::new().text("title", VIDEO).text("site_id", site_id.to_owned()).part("file", file);
    let path = "/api/admin/videos";
    let request = admin.api().request(Method::POST, path).multipart(form);
    let data = admin.api().send(path, request).await?.ok().context("upload the video")?;
    Ok(text(&data, "video_id"))
}

async fn ensure_contractor_account(
    urls: &Urls,
    admin: &Admin,
    site_id: &str,
    contractor_id: &str,
) -> Result<()> {
    if Admin::sign_in(&urls.gateway, "contractor", PASSWORD).await.is_ok() {
        return Ok(());
    }
    let body = json!({
        "username": "contractor", "password": PASSWORD, "role": "ContractorAdmin",
        "site_ids": [site_id], "contractor_id": contractor_id,
    });
    admin.post("/api/admin/accounts", &body).await?;
    Ok(())
}
