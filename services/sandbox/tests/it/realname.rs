use std::collections::HashSet;

use sandbox::{CONTRACTORS, PROJECTS, ROSTER_SIZE, roster};

use crate::help::{TestSandbox, text};

#[tokio::test]
async fn the_pages_hold_everybody_once_with_a_valid_identity_number() {
    let sandbox = TestSandbox::start().await;
    let mut seen = HashSet::new();
    for page in 1..=3 {
        let answer = sandbox
            .get(&format!("/realname/integration/realname/workers?page={page}&page_size=25"))
            .await;
        assert_eq!((&answer["code"], &answer["data"]["total"]), (&0.into(), &ROSTER_SIZE.into()));
        for worker in answer["data"]["items"].as_array().unwrap() {
            vault::IdNo::parse(&text(worker, "id_no")).unwrap();
            assert!(
                CONTRACTORS.iter().any(|contractor| worker["contractor_code"] == contractor.code)
            );
            assert!(seen.insert(text(worker, "id_no")), "twice");
        }
    }
    assert_eq!(seen.len(), ROSTER_SIZE as usize);
}

#[tokio::test]
async fn a_person_is_found_by_name_phone_and_number_and_a_stranger_is_404() {
    let sandbox = TestSandbox::start().await;
    let person = &roster()[6];
    for keyword in [&person.name, &person.phone, &person.id_no] {
        let answer =
            sandbox.get(&format!("/realname/integration/realname/workers?keyword={keyword}")).await;
        assert_eq!(answer["data"]["total"], 1);
        assert_eq!(answer["data"]["items"][0]["face_id"], "face_0007");
    }
    let one =
        sandbox.get(&format!("/realname/integration/realname/workers/{}", person.id_no)).await;
    assert_eq!(one["data"]["name"], "测试工人07");
    let photo = text(&one["data"], "photo_url");
    assert_eq!(sandbox.client.get(&photo).send().await.unwrap().status(), 200);

    let stranger =
        format!("{}/realname/integration/realname/workers/11010519491231002X", sandbox.url);
    assert_eq!(sandbox.client.get(&stranger).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn only_what_changed_since_is_listed_and_bad_paging_is_named() {
    let sandbox = TestSandbox::start().await;
    let total = |answer: serde_json::Value| answer["data"]["total"].clone();
    let since =
        |instant: &str| format!("/realname/integration/realname/workers?updated_since={instant}");
    assert_eq!(total(sandbox.get(&since("2025-12-31T00:00:00Z")).await), ROSTER_SIZE);
    assert_eq!(total(sandbox.get(&since("2026-02-01T00:00:00Z")).await), 0);

    let bad = sandbox
        .get("/realname/integration/realname/workers?page=0&page_size=201&updated_since=x")
        .await;
    assert_eq!(bad["code"], 40001);
    let fields: Vec<_> =
        bad["data"]["fields"].as_array().unwrap().iter().map(|field| &field["field"]).collect();
    assert_eq!(fields, ["page", "page_size", "updated_since"]);
}

#[tokio::test]
async fn a_project_s_people_are_listed_and_a_code_that_is_none_has_nobody() {
    let sandbox = TestSandbox::start().await;
    let listed = async |code: &str| {
        let path =
            format!("/realname/integration/realname/workers?page_size=200&project_code={code}");
        sandbox.get(&path).await["data"].clone()
    };
    assert_eq!(listed(PROJECTS[0]).await["total"], ROSTER_SIZE);
    let second = listed(PROJECTS[1]).await;
    assert_eq!(second["total"], 24);
    for worker in second["items"].as_array().unwrap() {
        assert_eq!(worker["contractor_code"], CONTRACTORS[1].code);
    }
    assert_eq!(listed("1").await["total"], 0);
}
