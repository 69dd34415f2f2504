//! Routers whose routes can be counted.
//!
//! axum's own don't list theirs, so nothing could say that each of them is in the matrix of who may do what. Whatever this
//! server answers is registered here: console and API make [`Routes`], and clippy.toml bans axum's way of adding one elsewhere.

use axum::{
    Router,
    handler::Handler,
    routing::{self, MethodRouter},
};
use http::Method;
use utoipa_axum::router::OpenApiRouter;

/// A router, and what it answers.
pub struct Routes<S> {
    router: Router<S>,
    listed: Vec<Route>,
}

/// One thing that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `GET` stands for `HEAD` too.
    pub method: Method,
    /// With its parameters: `/groups/{id}`.
    pub path: String,
}

/// What one path answers.
pub struct Methods<S> {
    router: MethodRouter<S>,
    methods: Vec<Method>,
}

/// A path that answers GET.
pub fn get<S: Clone + Send + Sync + 'static, T: 'static>(handler: impl Handler<T, S>) -> Methods<S> {
    Methods { router: routing::get(handler), methods: vec![Method::GET] }
}

/// A path that answers POST.
pub fn post<S: Clone + Send + Sync + 'static, T: 'static>(handler: impl Handler<T, S>) -> Methods<S> {
    Methods { router: routing::post(handler), methods: vec![Method::POST] }
}

impl<S: Clone + Send + Sync + 'static> Methods<S> {
    /// Answers POST too.
    #[must_use]
    pub fn post<T: 'static>(mut self, handler: impl Handler<T, S>) -> Self {
        self.methods.push(Method::POST);
        Self { router: self.router.post(handler), ..self }
    }

    /// For handlers with a state of their own.
    pub fn with_state<S2>(self, state: S) -> Methods<S2> {
        Methods { router: self.router.with_state(state), methods: self.methods }
    }
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None.
    pub fn new() -> Self {
        Self { router: Router::new(), listed: Vec::new() }
    }

    /// Those that an OpenAPI document describes, all of which it does.
    pub fn described(router: OpenApiRouter<S>) -> Self {
        let (router, document) = router.split_for_parts();
        let mut listed = Vec::new();
        for (path, item) in document.paths.paths {
            let operations = [
                (Method::GET, item.get),
                (Method::HEAD, item.head),
                (Method::OPTIONS, item.options),
                (Method::PUT, item.put),
                (Method::POST, item.post),
                (Method::PATCH, item.patch),
                (Method::DELETE, item.delete),
            ];
            let there = operations.into_iter().filter(|(_, operation)| operation.is_some());
            listed.extend(there.map(|(method, _)| Route { method, path: path.clone() }));
        }
        Self { router, listed }
    }

    /// Adds a path.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "here it is listed")]
    pub fn route(mut self, path: &str, methods: Methods<S>) -> Self {
        let routes = methods.methods.into_iter().map(|method| Route { method, path: path.to_owned() });
        self.listed.extend(routes);
        Self { router: self.router.route(path, methods.router), ..self }
    }

    /// Adds others.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.listed.extend(other.listed);
        Self { router: self.router.merge(other.router), ..self }
    }

    /// Adds others below a path.
    #[must_use]
    pub fn nest(mut self, prefix: &str, other: Self) -> Self {
        let below = other.listed.into_iter().map(|route| Route { path: format!("{prefix}{}", route.path), ..route });
        self.listed.extend(below);
        Self { router: self.router.nest(prefix, other.router), ..self }
    }

    /// Changes the router in a way that adds no routes: layers, fallbacks.
    #[must_use]
    pub fn map(self, change: impl FnOnce(Router<S>) -> Router<S>) -> Self {
        Self { router: change(self.router), ..self }
    }

    /// All of them.
    pub fn listed(&self) -> &[Route] {
        &self.listed
    }

    /// To serve them.
    pub fn into_router(self) -> Router<S> {
        self.router
    }
}
