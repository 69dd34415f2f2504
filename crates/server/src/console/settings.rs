//! The settings of the workspace. What holds for the whole installation is shown, with where it is set (ADR 12).

use bellwire_core::{permission::Permission, text::Name};
use http::StatusCode;

use super::{
    reply::{self, Answer, field, moment, parse},
    request::{Fields, Signed},
    view::{
        Section, Toast,
        parts::Field,
        settings::{OperatorSetting, ShowPage},
    },
    words,
};
use crate::{
    app::App,
    config::Config,
    ops::workspaces,
    routes::{Routes, get},
};

const PATH: &str = "/settings";

pub(super) fn routes() -> Routes<App> {
    Routes::new().route(PATH, get(show).post(save))
}

async fn show(signed: Signed) -> Answer {
    page(signed, StatusCode::OK, None).await
}

/// The page as it is, or with the name that was typed and refused.
async fn page(mut signed: Signed, status: StatusCode, refused: Option<Field>) -> Answer {
    signed.actor.require(Permission::SettingsManage)?;
    PATH.clone_into(&mut signed.visitor.here);
    let workspace = workspaces::get(&signed.app, &signed.actor).await?;
    let view = ShowPage {
        page: signed.page("Settings"),
        chrome: signed.chrome(Section::Settings, "workspace", None),
        id: workspace.id.to_string(),
        name: refused.unwrap_or_else(|| Field::of(workspace.name)),
        created_at: moment(workspace.created_at),
        operator: operator(&signed.app.config),
    };
    reply::render_with(status, &view)
}

fn operator(config: &Config) -> Vec<OperatorSetting> {
    vec![
        OperatorSetting {
            title: "Retention",
            value: words::length(config.retention),
            about: "Events, deliveries and attempts that are older are deleted.",
            variable: "BELLWIRE_RETENTION",
        },
        OperatorSetting {
            title: "Retries",
            value: words::schedule(&config.retry_schedule),
            about: "Before each attempt, after the one before. Each wait varies by a tenth.",
            variable: "BELLWIRE_RETRY_SCHEDULE",
        },
        OperatorSetting {
            title: "Turned off",
            value: format!("after {}", words::length(config.deactivate_after)),
            about: "For so long all attempts of a webhook must fail.",
            variable: "BELLWIRE_DEACTIVATE_AFTER",
        },
    ]
}

async fn save(signed: Signed, form: Fields) -> Answer {
    signed.actor.require(Permission::SettingsManage)?;
    let mut errors = Vec::new();
    let Some(name) = parse("name", Name::parse(form.text("name")), &mut errors) else {
        let refused = field("name", form.text("name"), &errors);
        return page(signed, StatusCode::UNPROCESSABLE_ENTITY, Some(refused)).await;
    };
    let done = workspaces::rename(&signed.app, &signed.actor, name).await;
    reply::back(PATH, done, |workspace| Toast::success(format!("The workspace is called {} now.", workspace.name)))
}
