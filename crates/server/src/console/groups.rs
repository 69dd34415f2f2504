//! The groups of the workspace, who is in them, and what can be done to them.

use axum::extract::Path;
use bellwire_core::{event::PrincipalId, id::GroupId, permission::Permission, text::Name};
use http::StatusCode;

use super::{
    reply::{self, Answer, field, field_error, moment, parse},
    request::{Fields, Signed},
    table::{ROWS, Table},
    view::{
        Dialog, Section, Toast,
        account::PageError,
        groups::{AddDialog, Candidate, DeleteDialog, FormDialog, GroupRow, ListPage, MemberRow, ShowPage},
        listing::Order,
        parts::{Choice, Field},
    },
    words,
};
use crate::{
    app::App,
    db::{
        group_members::GroupMemberSort,
        groups::{Group, GroupFilter, GroupSort},
        page::PageRequest,
        principals::PrincipalStatus,
    },
    error::{Error, FieldError},
    ops::groups::{self, Candidates, GroupPatch, NewGroup},
    routes::{Routes, get, post},
};

const PATH: &str = "/groups";

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route(PATH, get(list).post(create))
        .route("/groups/new", get(create_dialog))
        .route("/groups/{id}", get(show).post(update))
        .route("/groups/{id}/edit", get(edit_dialog))
        .route("/groups/{id}/delete", get(delete_dialog).post(delete))
        .route("/groups/{id}/members", post(add))
        .route("/groups/{id}/members/add", get(add_dialog))
        .route("/groups/{id}/members/{member}/remove", post(remove))
}

async fn list(signed: Signed) -> Answer {
    page(signed, StatusCode::OK, None).await
}

/// The page beneath a dialog: the group's own when it was opened there, else the list.
async fn beneath(signed: Signed, status: StatusCode, dialog: Option<Dialog>) -> Answer {
    match group_of_path(&signed.here) {
        Some(id) => members_page(signed, id, status, dialog).await,
        None => page(signed, status, dialog).await,
    }
}

/// The group whose page is at `path`, if it is one.
fn group_of_path(path: &str) -> Option<GroupId> {
    path.split('?').next()?.strip_prefix("/groups/")?.parse().ok()
}

async fn page(signed: Signed, status: StatusCode, dialog: Option<Dialog>) -> Answer {
    let columns = ["name", "members", "owner", "created_at"];
    let table = Table::read(PATH, &signed.query, &["q"], &columns, ("name", Order::Ascending));
    let sort = match table.sort {
        "members" => GroupSort::Members,
        "owner" => GroupSort::Owner,
        "created_at" => GroupSort::CreatedAt,
        _ => GroupSort::Name,
    };
    let asked = PageRequest::numbered(table.page, ROWS, sort, table.descending);
    let filter = GroupFilter { search: table.filter("q").map(str::to_owned) };
    let found = groups::list(&signed.app, &signed.actor, filter.clone(), asked).await?;
    let total = table.total(&found, groups::count(&signed.app, &signed.actor, filter)).await?;
    let row = |group: &Group| GroupRow {
        id: group.id.to_string(),
        name: group.name.clone(),
        owner: words::who(group.owner.kind, &group.owner.name),
        members: group.member_count,
        created_at: moment(group.created_at),
    };
    let view = ListPage {
        page: signed.page("Groups"),
        chrome: signed.chrome(Section::Groups, "groups", dialog),
        rows: found.data.iter().map(row).collect(),
        pager: table.pager(found.data.len(), total),
        list: table.list,
        can_manage: signed.may(Permission::GroupsManage),
    };
    reply::render_with(status, &view)
}

async fn show(signed: Signed, Path(id): Path<String>) -> Answer {
    members_page(signed, group_id(&id)?, StatusCode::OK, None).await
}

async fn members_page(signed: Signed, id: GroupId, status: StatusCode, dialog: Option<Dialog>) -> Answer {
    let group = groups::get(&signed.app, &signed.actor, id).await?;
    let path = format!("{PATH}/{id}");
    let table = Table::read(&path, &signed.query, &["q"], &["name", "added_at"], ("name", Order::Ascending));
    let sort = if table.sort == "added_at" { GroupMemberSort::AddedAt } else { GroupMemberSort::Name };
    let search = table.filter("q").map(str::to_owned);
    let total = groups::count_members(&signed.app, &signed.actor, id, search.clone()).await?;
    let asked = PageRequest::numbered(table.page, ROWS, sort, table.descending);
    let found = groups::members(&signed.app, &signed.actor, id, search, asked).await?;
    let rows = found.data.into_iter().map(|member| MemberRow {
        who: words::who(member.kind, &member.name),
        id: member.id,
        email: member.email,
        blocked: member.status == PrincipalStatus::Blocked,
        added_at: moment(member.added_at),
    });
    let rows: Vec<MemberRow> = rows.collect();
    let view = ShowPage {
        page: signed.page(&group.name),
        chrome: signed.chrome(Section::Groups, "groups", dialog),
        id: id.to_string(),
        owner: words::who(group.owner.kind, &group.owner.name),
        name: group.name,
        created_at: moment(group.created_at),
        pager: table.pager(rows.len(), total),
        rows,
        list: table.list,
        can_manage: signed.may(Permission::GroupsManage),
    };
    reply::render_with(status, &view)
}

fn group_id(text: &str) -> Result<GroupId, PageError> {
    text.parse().map_err(|_| PageError::NotFound)
}

/// The owners that a form offers, `chosen` first.
async fn owners(signed: &Signed, chosen: &str) -> Result<(Vec<Choice>, bool), Error> {
    let picked: Vec<PrincipalId> = chosen.parse().into_iter().collect();
    let Candidates { chosen: first, others, more } =
        groups::candidates(&signed.app, &signed.actor, None, None, picked).await?;
    let active = first.into_iter().chain(others).filter(|it| it.status == PrincipalStatus::Active);
    let choice = |it: crate::db::group_candidates::Candidate| {
        let id = it.id.to_string();
        let text = it.email.map_or_else(|| it.name.clone(), |email| format!("{} ({email})", it.name));
        Choice::new(&id, &text, id == chosen)
    };
    Ok((active.map(choice).collect(), more))
}

async fn create_dialog(signed: Signed) -> Answer {
    let return_to = signed.query.return_to(PATH);
    let oneself = signed.actor.principal.to_string();
    form(signed, None, Field::default(), &oneself, None, StatusCode::OK, return_to).await
}

async fn edit_dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    let group = groups::get(&signed.app, &signed.actor, group_id(&id)?).await?;
    let return_to = signed.query.return_to(PATH);
    form(signed, Some(id), Field::of(group.name), &group.owner.id, None, StatusCode::OK, return_to).await
}

async fn form(
    signed: Signed,
    id: Option<String>,
    name: Field,
    owner: &str,
    owner_error: Option<String>,
    status: StatusCode,
    return_to: String,
) -> Answer {
    let (mut owners, more) = owners(&signed, owner).await?;
    // Whoever owns it stays chosen though nobody would be offered them: blocked, or of a kind that this reader may not see.
    if let Some(id) = &id
        && !owners.iter().any(|it| it.chosen)
    {
        let present = groups::get(&signed.app, &signed.actor, group_id(id)?).await?.owner;
        if present.id == owner {
            owners.insert(0, Choice::new(present.id, present.name, true));
        }
    }
    let dialog = FormDialog { id, name, owners, owner_error, more, return_to: return_to.clone() };
    signed.dialog(status, &dialog, &return_to, beneath).await
}

async fn create(signed: Signed, form: Fields) -> Answer {
    save(signed, None, form).await
}

async fn update(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    save(signed, Some(id), form).await
}

/// Creates a group, or changes the one that is named. What is refused comes back with what was typed.
async fn save(signed: Signed, id: Option<String>, fields: Fields) -> Answer {
    let return_to = fields.return_to(PATH);
    let mut errors: Vec<FieldError> = Vec::new();
    let name = parse("name", Name::parse(fields.text("name")), &mut errors);
    let owner = fields.text("owner").parse().map_err(|_| "choose an owner");
    let owner: Option<PrincipalId> = parse("owner_id", owner, &mut errors);
    if let (Some(name), Some(owner)) = (name, owner) {
        let (done, said) = match &id {
            None => {
                let wanted = NewGroup { name, owner: Some(owner) };
                (groups::create(&signed.app, &signed.actor, wanted).await, "created")
            }
            Some(id) => {
                let patch = GroupPatch { name: Some(name), owner: Some(owner) };
                (groups::update(&signed.app, &signed.actor, group_id(id)?, patch).await, "modified")
            }
        };
        match done {
            Err(Error::Invalid(refused)) => errors = refused,
            Err(error @ Error::Conflict { .. }) => {
                errors = vec![FieldError { field: "name".to_owned(), message: reply::sentence(&error) }];
            }
            done => {
                return reply::back(&return_to, done, |group| Toast::success(format!("{} was {said}.", group.name)));
            }
        }
    }
    let name = field("name", fields.text("name"), &errors);
    let owner_error = field_error("owner_id", &errors);
    form(signed, id, name, fields.text("owner"), owner_error, StatusCode::UNPROCESSABLE_ENTITY, return_to).await
}

async fn delete_dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    signed.actor.require(Permission::GroupsManage)?;
    let group = groups::get(&signed.app, &signed.actor, group_id(&id)?).await?;
    let return_to = signed.query.return_to(PATH);
    let dialog = DeleteDialog { id, name: group.name, members: group.member_count, return_to: return_to.clone() };
    signed.dialog(StatusCode::OK, &dialog, &return_to, beneath).await
}

async fn delete(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let done = groups::delete(&signed.app, &signed.actor, group_id(&id)?).await;
    // Its own page went with it.
    let return_to = form.return_to(PATH);
    let return_to = if done.is_ok() && group_of_path(&return_to).is_some() { PATH.to_owned() } else { return_to };
    reply::back(&return_to, done, |group| Toast::success(format!("{} was deleted.", group.name)))
}

async fn add_dialog(signed: Signed, Path(id): Path<String>) -> Answer {
    let (search, return_to) = (signed.query.text("q").trim().to_owned(), signed.query.return_to(PATH));
    let chosen: Vec<PrincipalId> = signed.query.all("members").filter_map(|id| id.parse().ok()).collect();
    offer(signed, &id, search, chosen, None, StatusCode::OK, return_to).await
}

async fn offer(
    signed: Signed,
    id: &str,
    search: String,
    chosen: Vec<PrincipalId>,
    error: Option<String>,
    status: StatusCode,
    return_to: String,
) -> Answer {
    let (app, actor, group) = (&signed.app, &signed.actor, group_id(id)?);
    let name = groups::get(app, actor, group).await?.name;
    let wanted = Some(search.clone()).filter(|search| !search.is_empty());
    let found = groups::candidates(app, actor, Some(group), wanted, chosen).await?;
    let candidate = |it: crate::db::group_candidates::Candidate, chosen| Candidate {
        who: words::who(it.id.kind(), &it.name),
        id: it.id.to_string(),
        email: it.email,
        chosen,
    };
    let picked = found.chosen.into_iter().map(|it| candidate(it, true));
    let candidates = picked.chain(found.others.into_iter().map(|it| candidate(it, false))).collect();
    let return_to = if return_to == PATH { format!("{PATH}/{group}") } else { return_to };
    let dialog = AddDialog {
        id: id.to_owned(),
        name,
        search,
        candidates,
        more: found.more,
        error,
        return_to: return_to.clone(),
    };
    signed.dialog(status, &dialog, &return_to, beneath).await
}

async fn add(signed: Signed, Path(id): Path<String>, form: Fields) -> Answer {
    let group = group_id(&id)?;
    let return_to = form.return_to(&format!("{PATH}/{group}"));
    let chosen: Vec<PrincipalId> = form.all("members").filter_map(|id| id.parse().ok()).collect();
    match groups::add_members(&signed.app, &signed.actor, group, chosen.clone()).await {
        Err(error @ (Error::Invalid(_) | Error::Conflict { .. })) => {
            let (search, said) = (form.text("q").to_owned(), reply::sentence(&error));
            offer(signed, &id, search, chosen, Some(said), StatusCode::UNPROCESSABLE_ENTITY, return_to).await
        }
        done => reply::back(&return_to, done, |group| Toast::success(added(chosen.len(), &group.name))),
    }
}

fn added(count: usize, group: &str) -> String {
    if count == 1 {
        format!("1 member was added to {group}.")
    } else {
        format!("{count} members were added to {group}.")
    }
}

async fn remove(signed: Signed, Path((id, member)): Path<(String, String)>, form: Fields) -> Answer {
    let group = group_id(&id)?;
    let member: PrincipalId = member.parse().map_err(|_| PageError::NotFound)?;
    let done = groups::remove_member(&signed.app, &signed.actor, group, member).await;
    reply::back(&form.return_to(&format!("{PATH}/{group}")), done, |(group, name)| {
        Toast::success(format!("{name} was removed from {}.", group.name))
    })
}
