//! `GET /openapi.json` as tests look things up in it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::service::Service;

/// The service's document.
pub struct Document(Value);

/// One call of it.
pub struct Operation {
    pub method: Method,
    pub path: String,
    pub what: Value,
}

impl Document {
    pub async fn of(service: &Service) -> Self {
        Self(service.get("/openapi.json").await.expect(200))
    }

    pub fn json(&self) -> &Value {
        &self.0
    }

    pub fn operations(&self) -> Vec<Operation> {
        let paths = self.0["paths"].as_object().expect("paths");
        let operations = paths.iter().flat_map(|(path, item)| {
            let item = item.as_object().expect("operations");
            item.iter().map(|(method, what)| Operation {
                method: method.to_ascii_uppercase().parse().expect("a method"),
                path: path.clone(),
                what: what.clone(),
            })
        });
        operations.collect()
    }

    /// What `$ref` stands for.
    pub fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(place) => {
                let found = self.0.pointer(place.trim_start_matches('#'));
                self.resolved(found.unwrap_or_else(|| panic!("{place} is in the document")))
            }
            None => value,
        }
    }

    /// The schema of the JSON that the call takes.
    pub fn body_schema(&self, operation: &Operation) -> Option<&Value> {
        let place = operation
            .what
            .pointer("/requestBody/content/application~1json/schema/$ref")?;
        let name = place.as_str().expect("a place").rsplit('/').next();
        Some(&self.0["components"]["schemas"][name.expect("a name")])
    }

    /// Whether an answer of this status and type is one that the call may give.
    pub fn allows(&self, operation: &Operation, status: u16, content_type: Option<&str>) -> bool {
        let answer = &operation.what["responses"][status.to_string()];
        if answer.is_null() {
            return false;
        }
        match (self.resolved(answer)["content"].as_object(), content_type) {
            (None, None) => true,
            (Some(content), Some(found)) => content.contains_key(found),
            _ => false,
        }
    }
}

impl Operation {
    /// The path, with this id where it has one.
    pub fn path_of(&self, task_id: &str) -> String {
        self.path.replace("{task_id}", task_id)
    }

    /// `POST /api/v1/tasks`
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Names of its parameters of this place, sorted.
    pub fn parameters(&self, place: &str) -> Vec<String> {
        let all = self.what["parameters"].as_array();
        let all = all.into_iter().flatten();
        let names = all.filter(|parameter| parameter["in"] == place);
        let names = names.map(|parameter| parameter["name"].as_str().expect("a name").to_owned());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// The role that its token needs, if it needs one.
    pub fn role(&self) -> Option<&str> {
        let security = self.what["security"].as_array().expect("said of each");
        let [bearer, cookie] = &security[..] else {
            assert_eq!(security, &Vec::<Value>::new());
            return None;
        };
        let role = bearer["bearer"][0].as_str().expect("a role");
        assert_eq!(cookie, &json!({ "cookie": [role] }));
        Some(role)
    }
}
