//! Two sites, three contractors, every role and every bad token against every route of the document, on real services.

mod audited;
mod samples;
mod tables;
mod world;

use reqwest::Method;
use serde_json::{Value, json};
use types::Role;

use audited::Carried;
use samples::{Body, Needs, Route};
use world::{Actor, World, bad_tokens, is_reading};

/// What a contractor's administrator may do in part: their own reports, and not the figures of the whole site; adding
/// people to a published ticket, and not taking them off.
const IN_PART: [&str; 2] =
    ["/api/admin/dashboard", "/api/admin/work-tickets/{ticket_id}/workers/{worker_id}"];

/// What is done once more each time it is asked for.
const ANEW: [&str; 1] = ["/api/admin/workers/sync"];

/// What is asked to change by each command that may be asked to change nothing.
const CHANGED: [(&str, &str); 4] = [
    ("PATCH /api/admin/accounts/{account_id}", "disabled"),
    ("PATCH /api/admin/areas/{area_id}", "description"),
    ("PATCH /api/admin/sites/{site_id}", "name"),
    ("PATCH /api/admin/work-tickets/{ticket_id}", "remark"),
];

/// What cannot be done any more to what the day left behind, or to what another has changed, and how that is refused.
const TOO_LATE: [(&str, u64); 4] = [
    ("POST /api/admin/daily-tickets/{daily_ticket_id}/cancel", 40902),
    ("POST /api/admin/daily-tickets/{daily_ticket_id}/workers/{worker_id}/release", 40902),
    ("POST /api/admin/notifications/{notification_id}/retry", 40902),
    ("PATCH /api/admin/work-tickets/{ticket_id}", 40901),
];

/// What names something of the first contractor, not of the site alone.
const OF_CONTRACTOR: [&str; 6] =
    ["ticket_id", "daily_ticket_id", "notification_id", "grant_id", "worker_id", "contractor_id"];

/// What no list of another contractor holds.
const OF_FIRM: [&str; 5] =
    ["ticket_id", "daily_ticket_id", "notification_id", "grant_id", "worker_id"];

/// What no list of another site holds.
const OF_SITE: [&str; 12] = [
    "site_id",
    "contractor_id",
    "area_id",
    "device_id",
    "video_id",
    "account_id",
    "worker_id",
    "reading_id",
    "ticket_id",
    "daily_ticket_id",
    "notification_id",
    "grant_id",
];

/// Asked for one site at a time, in the body.
const OF_ONE_SITE: [&str; 1] = ["/api/admin/workers/search"];

/// What is told without a site is what belongs to none: whoever is confined to sites does not find it.
const OF_NO_SITE: [&str; 1] = ["/api/admin/audit-logs"];

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_what_is_not_theirs_and_everybody_what_is() {
    let world = World::start().await;
    let mut wrong = Vec::new();
    let site = world.objects.get("site_id").unwrap();
    tables::hold_a_site_apart(&world.database_url, &site, &mut wrong).await;
    bad_tokens_open_nothing(&world, &mut wrong).await;
    unknown_fields_are_refused(&world, &mut wrong).await;
    lacking_a_permission_is_told(&world, &mut wrong).await;
    what_is_foreign_is_not_found(&world, &mut wrong).await;
    what_may_name_another_firm_finds_nothing_of_it(&world, &mut wrong).await;
    lists_hold_nothing_foreign(&world, &mut wrong).await;
    let mut carried = Vec::new();
    what_is_ones_own_answers(&world, &mut carried, &mut wrong).await;
    a_key_makes_one_of_two(&world, &mut wrong).await;
    audited::left_an_entry_each(&world.database_url, &carried).await;
    assert!(wrong.is_empty(), "{} answers are not as they should be: {wrong:#?}", wrong.len());
    world.installation.stop();
}

async fn bad_tokens_open_nothing(world: &World, wrong: &mut Vec<String>) {
    let admin = &world.actor("admin").token;
    for route in &world.routes {
        let (own, other, is_admin) = match route.needs() {
            Needs::Nobody => continue,
            Needs::Phone => (&world.phone, admin, false),
            Needs::Account | Needs::Permission(_) => (admin, &world.phone, true),
        };
        let none = world.sample(route, None).await.code;
        if none != 40101 {
            wrong.push(format!("{} without a token: {none}", route.name()));
        }
        for (what, token, expected) in bad_tokens(own, is_admin, other) {
            if expected == 0 {
                continue;
            }
            let code = world.sample(route, Some(&token)).await.code;
            if code != expected {
                wrong.push(format!("{} with a token {what}: {code}, not {expected}", route.name()));
            }
        }
    }
}

async fn unknown_fields_are_refused(world: &World, wrong: &mut Vec<String>) {
    for route in world.routes.iter().filter(|route| route.has_json()) {
        let token = match route.needs() {
            // What a vendor adds to its webhook is ignored.
            Needs::Nobody if route.path.starts_with("/api/integration/") => continue,
            Needs::Phone => Some(world.phone.as_str()),
            _ => Some(world.actor("admin").token.as_str()),
        };
        let Body::Json(mut body) = route.body(&world.document, &world.objects) else { continue };
        body["nobody_knows_this"] = json!(1);
        let answered = world.ask(route, token, None, Body::Json(body)).await;
        let named = answered.body["data"]["fields"].to_string().contains("nobody_knows_this");
        if answered.code != 40001 || !named {
            wrong.push(format!("{} takes an unknown field: {answered:?}", route.name()));
        }
    }
}

/// Every actor on every route of a permission.
fn pairs(world: &World) -> impl Iterator<Item = (&Actor, &Route, bool)> {
    world.actors.iter().flat_map(|actor| {
        world.routes.iter().filter_map(move |route| {
            let is_guarded = matches!(route.needs(), Needs::Permission(_));
            is_guarded.then(|| (actor, route, holds_permission(actor, route)))
        })
    })
}

async fn lacking_a_permission_is_told(world: &World, wrong: &mut Vec<String>) {
    let mut lacking = 0;
    for (actor, route, _) in pairs(world).filter(|(.., may)| !may) {
        lacking += 1;
        let code = world.sample(route, Some(&actor.token)).await.code;
        if code != 40301 {
            wrong.push(format!("{} lacks what {} needs: {code}", actor.name, route.name()));
        }
    }
    assert!(lacking > 50, "{lacking} pairs");
}

/// Whether the route, asked as the document shows it, names something that is not the actor's.
fn names_foreign(world: &World, actor: &Actor, route: &Route) -> bool {
    let address = route.address(&world.document, &world.objects);
    let body = match route.body(&world.document, &world.objects) {
        Body::Json(body) => body.to_string(),
        Body::Form(_, texts) => texts,
        Body::None => String::new(),
    };
    let of_site = ["site_id", "worker_id", "area_id", "video_id", "account_id"];
    !actor.on_site && world.holds(&of_site, &[&address, &body]).is_some()
        || !actor.of_contractor && world.holds(&OF_CONTRACTOR, &[&address, &body]).is_some()
}

async fn what_is_foreign_is_not_found(world: &World, wrong: &mut Vec<String>) {
    let mut foreign = 0;
    for (actor, route, may) in pairs(world) {
        if !may || !names_foreign(world, actor, route) {
            continue;
        }
        foreign += 1;
        let answered = world.sample(route, Some(&actor.token)).await;
        if answered.code != 40400 {
            let asked = route.address(&world.document, &world.objects);
            wrong.push(format!("{} asks {} {asked}: {answered:?}", actor.name, route.method));
        }
    }
    assert!(foreign > 40, "{foreign} pairs");
    // A phone that is on no ticket reaches no day and no session of others.
    for route in world.routes.iter().filter(|route| route.needs() == Needs::Phone) {
        let asked = route.in_path();
        if asked.contains(&"daily_ticket_id") || asked.contains(&"session_id") {
            let answered = world.sample(route, Some(&world.stranger)).await;
            if answered.code / 100 != 404 && answered.code != 40104 {
                wrong.push(format!("a stranger's phone on {}: {answered:?}", route.name()));
            }
        }
    }
}

/// Where a contractor or a worker may be named, the first firm's is to the second's administrator as none.
async fn what_may_name_another_firm_finds_nothing_of_it(world: &World, wrong: &mut Vec<String>) {
    let (second, mut named) = (world.actor("second"), 0);
    for (_, route, _) in pairs(world).filter(|(actor, _, may)| *may && actor.name == second.name) {
        let at_site = route.naming(&world.document, "site_id");
        let route = at_site.as_ref().unwrap_or(route);
        for what in ["contractor_id", "worker_id"] {
            let Some(route) = route.naming(&world.document, what) else { continue };
            named += 1;
            let answered = world.sample(&route, Some(&second.token)).await;
            let held = world.holds(&OF_FIRM, &[&answered.body.to_string()]);
            let fits = match what {
                "worker_id" => matches!(answered.code, 0 | 40400) && held.is_none(),
                _ => answered.code == 40400,
            };
            if !fits {
                wrong.push(format!(
                    "second names a foreign {what} to {}: {answered:?}",
                    route.name()
                ));
            }
        }
    }
    assert!(named > 8, "{named} routes");
    // A ticket of their own for somebody of the first firm: a bad field, as a worker is who does not exist.
    let creates = |route: &&Route| route.name() == "POST /api/admin/work-tickets";
    let route = world.routes.iter().find(creates).unwrap();
    let Body::Json(mut body) = route.body(&world.document, &world.objects) else { unreachable!() };
    body["contractor_id"] = json!(second.contractor);
    let answered = world.ask(route, Some(&second.token), None, Body::Json(body)).await;
    let fields = &answered.body["data"]["fields"];
    if answered.code != 40001 || fields[0]["field"] != "worker_ids[0]" || fields[1] != Value::Null {
        wrong.push(format!("second names a foreign worker on a ticket: {answered:?}"));
    }
}

async fn lists_hold_nothing_foreign(world: &World, wrong: &mut Vec<String>) {
    let (mut compared, admin) = (0, world.actor("admin"));
    for list in lists(world) {
        let asks = async |actor: &Actor| {
            world.ask(&list.route, Some(&actor.token), None, list.body()).await
        };
        let all = asks(admin).await;
        // A list that shows nobody anything would hold nothing foreign either.
        let filled = world.holds(&OF_SITE, &[&all.body.to_string()]).is_some();
        let is_list = all.body["data"]["items"].is_array();
        let takes_site = OF_ONE_SITE.contains(&list.route.path.as_str()) && !list.names_site;
        if takes_site != (all.code == 40001) || (is_list && !filled) {
            wrong.push(format!("admin asks {}: {}, filled: {filled}", list.name, all.code));
        }
        for actor in world.actors.iter().filter(|actor| !(actor.on_site && actor.of_contractor)) {
            if !holds_permission(actor, &list.route) {
                continue;
            }
            let answered = asks(actor).await;
            let expected = match () {
                () if list.names_site && !actor.on_site => 40400,
                () if takes_site => 40001,
                () if OF_NO_SITE.contains(&list.route.path.as_str()) && !list.names_site => 40400,
                () => 0,
            };
            if is_list && answered.code != expected {
                wrong.push(format!("{} asks {}: {answered:?}", actor.name, list.name));
            }
            compared += u32::from(is_list);
            let foreign: &[&str] = if actor.on_site { &OF_FIRM } else { &OF_SITE };
            if let Some(what) = world.holds(foreign, &[&answered.body.to_string()]) {
                wrong.push(format!("{} sees a foreign {what} in {}", actor.name, list.name));
            }
        }
    }
    assert!(compared > 60, "{compared} lists");
}

fn holds_permission(actor: &Actor, route: &Route) -> bool {
    let Needs::Permission(name) = route.needs() else { return false };
    actor.role.permissions().contains(&name.parse().unwrap())
}

/// A list, asked about the first site or about all that its asker may see.
struct List {
    name: String,
    route: Route,
    body: Option<Value>,
    names_site: bool,
}

impl List {
    fn body(&self) -> Body {
        self.body.clone().map_or(Body::None, Body::Json)
    }
}

/// Every list there is: the routes without a name in their path that only ask, in the address or in the body.
fn lists(world: &World) -> Vec<List> {
    let mut lists = Vec::new();
    for route in world.routes.iter().filter(|route| route.in_path().is_empty()) {
        if !matches!(route.needs(), Needs::Permission(_)) {
            continue;
        }
        let name = route.name();
        if route.path.ends_with("/search") {
            let site = world.objects.get("site_id").unwrap();
            let bodies =
                [json!({ "page_size": 200 }), json!({ "page_size": 200, "site_id": site })];
            for body in bodies {
                let (name, names_site) = (format!("{name} {body}"), body.get("site_id").is_some());
                lists.push(List { name, route: route.clone(), body: Some(body), names_site });
            }
        } else if is_reading(route) {
            for (route, what) in [(Some(route.clone()), ""), (route.anywhere(), " anywhere")] {
                let Some(route) = route.map(Route::at_length) else { continue };
                let address = route.address(&world.document, &world.objects);
                let names_site = world.holds(&["site_id"], &[&address]).is_some();
                lists.push(List { name: format!("{name}{what}"), route, body: None, names_site });
            }
        }
    }
    lists
}

async fn what_is_ones_own_answers(
    world: &World,
    carried: &mut Vec<Carried>,
    wrong: &mut Vec<String>,
) {
    // Reads first: what follows may end what they look at, and what is cancelled changes no more.
    let turn = |route: &Route| match () {
        () if is_reading(route) => 0,
        () if route.path.ends_with("/cancel") => 2,
        () => 1,
    };
    for now in 0..=2 {
        let reading = now == 0;
        for (actor, route, may) in pairs(world) {
            if !may || !actor.of_contractor || turn(route) != now {
                continue;
            }
            let changed = CHANGED.iter().find(|(changing, _)| *changing == route.name());
            let changed = changed.map(|(_, what)| route.naming(&world.document, what).unwrap());
            let route = changed.as_ref().unwrap_or(route);
            let answered = world.sample(route, Some(&actor.token)).await;
            if answered.code == 0 && !reading {
                let trace = answered.trace.clone();
                carried.push(Carried { route: route.name(), trace });
            }
            let in_part = IN_PART.contains(&route.path.as_str());
            if in_part && actor.role == Role::ContractorAdmin && answered.code == 40301 {
                continue;
            }
            let refused = (route.name(), answered.code);
            let too_late =
                TOO_LATE.iter().any(|(late, code)| refused == ((*late).to_owned(), *code));
            if answered.code != 0 && !too_late {
                let asked = route.address(&world.document, &world.objects);
                wrong.push(format!("{} asks {} {asked}: {answered:?}", actor.name, route.method));
            }
        }
    }
    for route in world.routes.iter().filter(|route| route.needs() == Needs::Phone) {
        let code = world.sample(route, Some(&world.phone)).await.code;
        if matches!(code, 40101 | 40102 | 50000) || code / 100 == 403 {
            wrong.push(format!("a worker's phone on {}: {code}", route.name()));
        }
    }
}

async fn a_key_makes_one_of_two(world: &World, wrong: &mut Vec<String>) {
    let admin = &world.actor("admin").token;
    for route in world.routes.iter().filter(|route| route.creates(&world.routes)) {
        if !route.takes_key() && !ANEW.contains(&route.path.as_str()) {
            wrong.push(format!("{} makes another each time", route.name()));
        }
    }
    let guarded = |route: &&Route| matches!(route.needs(), Needs::Permission(_));
    let keyed = world.routes.iter().filter(|route| route.takes_key() && route.has_json());
    let keyed: Vec<&Route> = keyed.filter(guarded).collect();
    assert!(keyed.len() >= 7, "{keyed:?}");
    for (number, route) in keyed.into_iter().enumerate() {
        // So that no body is another's.
        let titled = route.naming(&world.document, "title");
        let route = titled.as_ref().unwrap_or(route);
        let key = format!("matrix-{number}");
        let Body::Json(body) = route.body(&world.document, &world.objects) else { continue };
        let send =
            async |body: Value| world.ask(route, Some(admin), Some(&key), Body::Json(body)).await;
        let mut first = send(body.clone()).await;
        let mut again = send(body).await;
        // A secret is shown once: the answer that is kept does not hold it.
        for answered in [&mut first, &mut again] {
            answered.body["data"]["secret"] = Value::Null;
        }
        if first.code != 0 || first.body["data"] != again.body["data"] {
            wrong.push(format!("{} twice under one key: {first:?}, {again:?}", route.name()));
            continue;
        }
        let Body::Json(other) = route.body(&world.document, &world.objects) else { continue };
        let reused = send(other).await.code;
        if reused != 40903 {
            wrong.push(format!("{} with another body under the key: {reused}", route.name()));
        }
    }
    assert!(
        !world.routes.iter().any(|route| route.method == Method::PUT),
        "PUT is not spoken here"
    );
}
