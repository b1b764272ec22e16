//! THE TABLE OF ROUTES: one row for each call, with the permission that it requires.
//!
//! Method and path stand in the `utoipa::path` annotation of the handler that the row names. Everything else is read from
//! here: the router, the permission check, the names of routes in traces and `/openapi.json`. A row without a permission
//! does not compile.

use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::routing::{MethodRouter, get};
use utoipa::openapi::path::PathItem;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use crate::api::auth::permissions::Permission;
use crate::api::context::Api;
use crate::api::error;
use crate::api::http::route_index::RouteIndex;
use crate::api::routes::tasks::{batch, bulk, downstream, explain, list, submit, task};
use crate::api::routes::{
    doctor, dump, events, health, hive, metrics, openapi, overview, processors, queue, reload,
    schedules, session, stats, stream, web, worker,
};
use crate::models::Role::{Admin, Operate, Read, Submit};

/// One call, or one page of the dashboard.
pub(crate) struct Route {
    permission: Permission,
    handler: Handler,
}

enum Handler {
    /// A call of the API, which the document describes.
    Call(UtoipaMethodRouter<Arc<Api>>),
    /// A file of the dashboard, which is no part of the API.
    Page(&'static str, MethodRouter<Arc<Api>>),
}

/// Returns every route of the service.
pub(crate) fn table() -> Vec<Route> {
    use Permission::Anyone;
    let confined = Permission::confined;
    let unrestricted = Permission::unrestricted;
    vec![
        call(confined(Read), routes!(list::list)),
        call(confined(Submit), routes!(submit::create)),
        call(confined(Admin), routes!(bulk::delete)),
        call(confined(Submit), routes!(batch::create)),
        call(confined(Operate), routes!(bulk::retry)),
        call(confined(Operate), routes!(bulk::abort)),
        call(confined(Read), routes!(task::show)),
        call(confined(Admin), routes!(task::delete)),
        call(confined(Operate), routes!(task::retry)),
        call(confined(Read), routes!(task::logs)),
        call(confined(Read), routes!(explain::explain)),
        call(confined(Read), routes!(downstream::downstream)),
        call(confined(Read), routes!(stream::stream)),
        call(confined(Read), routes!(events::socket)),
        call(confined(Read), routes!(queue::status)),
        call(confined(Operate), routes!(queue::pause)),
        call(confined(Operate), routes!(queue::resume)),
        call(unrestricted(Operate), routes!(queue::purge)),
        call(unrestricted(Operate), routes!(queue::emergency_stop)),
        call(confined(Operate), routes!(queue::abort)),
        call(confined(Read), routes!(processors::list)),
        call(unrestricted(Read), routes!(schedules::list)),
        call(confined(Operate), routes!(worker::claim)),
        call(confined(Operate), routes!(worker::heartbeat)),
        call(confined(Operate), routes!(worker::log)),
        call(confined(Operate), routes!(worker::progress)),
        call(confined(Operate), routes!(worker::complete)),
        call(confined(Operate), routes!(worker::fail)),
        call(unrestricted(Read), routes!(hive::status)),
        call(unrestricted(Read), routes!(hive::nodes)),
        call(unrestricted(Operate), routes!(hive::broadcast)),
        call(unrestricted(Read), routes!(overview::overview)),
        call(unrestricted(Read), routes!(overview::storage)),
        call(unrestricted(Read), routes!(stats::stats)),
        call(unrestricted(Read), routes!(metrics::metrics)),
        call(unrestricted(Operate), routes!(reload::reload)),
        // It makes the disk work.
        call(unrestricted(Operate), routes!(doctor::doctor)),
        call(unrestricted(Admin), routes!(dump::export)),
        call(unrestricted(Admin), routes!(dump::import)),
        call(Anyone, routes!(health::healthz)),
        call(Anyone, routes!(health::readyz)),
        call(Anyone, routes!(openapi::openapi)),
        call(Anyone, routes!(openapi::docs)),
        call(Anyone, routes!(session::login)),
        call(Anyone, routes!(session::logout)),
        call(confined(Read), routes!(session::show)),
        page(Anyone, "/", get(web::page)),
        page(Anyone, "/web/{*path}", get(web::asset)),
    ]
}

fn call(permission: Permission, handler: UtoipaMethodRouter<Arc<Api>>) -> Route {
    let handler = Handler::Call(handler);
    Route {
        permission,
        handler,
    }
}

fn page(permission: Permission, path: &'static str, handler: MethodRouter<Arc<Api>>) -> Route {
    let handler = Handler::Page(path, handler);
    Route {
        permission,
        handler,
    }
}

/// Returns the index of these routes by path.
pub(crate) fn index(routes: &[Route]) -> RouteIndex {
    RouteIndex::new(routes.iter().flat_map(|route| {
        let paths: Vec<_> = match &route.handler {
            Handler::Page(path, _) => vec![((*path).to_owned(), Method::GET)],
            Handler::Call((_, paths, _)) => paths
                .paths
                .iter()
                .flat_map(|(path, item)| methods(item).map(|method| (path.clone(), method)))
                .collect(),
        };
        let permission = route.permission;
        paths
            .into_iter()
            .map(move |(path, method)| (path, method, permission))
    }))
}

/// Returns the methods that an annotation names.
fn methods(item: &PathItem) -> impl Iterator<Item = Method> {
    let methods = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    methods
        .into_iter()
        .filter_map(|(method, call)| call.as_ref().map(|_| method))
}

/// Builds the router of these routes, and the part of the OpenAPI document that the handlers' annotations make.
pub(crate) fn router(routes: Vec<Route>) -> (Router<Arc<Api>>, utoipa::openapi::OpenApi) {
    let described = routes.into_iter().fold(
        OpenApiRouter::with_openapi(crate::api::openapi::head()),
        |router, route| match route.handler {
            Handler::Call(handler) => router.routes(handler),
            Handler::Page(path, handler) => router.route(path, handler),
        },
    );
    let (router, document) = described.split_for_parts();
    let router = router
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed);
    (router, document)
}
