//! Serves the stylesheet, the script and the icon. Their addresses change with their content, so browsers keep them.

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use http::header;

use super::{
    reply::{self, Answer},
    request::Visitor,
    view::{account::PageError, assets},
};
use crate::{
    app::App,
    routes::{Routes, get},
};

/// Routes under `/static/`.
pub(super) fn routes() -> Routes<App> {
    Routes::new().route("/static/{name}", get(file))
}

async fn file(visitor: Visitor, Path(name): Path<String>) -> Answer {
    let asset = assets::ALL.iter().find(|asset| asset.name == name).ok_or(PageError::NotFound)?;
    // A page of another version asked: it gets what there is, but must not keep it under that address.
    let keep =
        if visitor.here == assets::href(asset.name) { "public, max-age=31536000, immutable" } else { "no-cache" };
    reply::compressed(Ok(respond(asset, keep)))
}

fn respond(asset: &assets::Asset, keep: &'static str) -> Response {
    ([(header::CONTENT_TYPE, asset.content_type), (header::CACHE_CONTROL, keep)], asset.bytes.clone()).into_response()
}
