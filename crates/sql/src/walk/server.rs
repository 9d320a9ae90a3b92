//! Extensions, foreign servers, replication, storage, databases: statements that change the server itself.

use model::{Effect, Object, ObjectKind};
use pg_query::protobuf::{AlterTableMoveAllStmt, node::Node as N};

use super::Walker;

impl Walker<'_> {
    /// One effect on one named object of the server's catalogue.
    fn server(&mut self, label: &'static str, effect: Effect, name: String) {
        self.label = label;
        self.catalog_object(effect, name);
    }

    pub(super) fn administration(&mut self, node: &N) -> bool {
        match node {
            N::CreateExtensionStmt(one) => self.server("CREATE", Effect::Import, format!("extension {}", one.extname)),
            N::AlterExtensionStmt(one) => self.server("ALTER", Effect::Import, format!("extension {}", one.extname)),
            N::AlterExtensionContentsStmt(one) => {
                self.server("ALTER", Effect::Import, format!("extension {}", one.extname));
            }
            N::CreatePlangStmt(one) => self.server("CREATE", Effect::Import, format!("language {}", one.plname)),
            N::ImportForeignSchemaStmt(one) => {
                self.server("IMPORT", Effect::Import, format!("server {}", one.server_name));
            }
            N::CreateFdwStmt(one) => self.server("CREATE", Effect::Admin, format!("wrapper {}", one.fdwname)),
            N::AlterFdwStmt(one) => self.server("ALTER", Effect::Admin, format!("wrapper {}", one.fdwname)),
            N::CreateForeignServerStmt(one) => {
                self.server("CREATE", Effect::Admin, format!("server {}", one.servername))
            }
            N::AlterForeignServerStmt(one) => self.server("ALTER", Effect::Admin, format!("server {}", one.servername)),
            N::CreateUserMappingStmt(one) => self.server("CREATE", Effect::Admin, format!("server {}", one.servername)),
            N::AlterUserMappingStmt(one) => self.server("ALTER", Effect::Admin, format!("server {}", one.servername)),
            N::DropUserMappingStmt(one) => self.server("DROP", Effect::Admin, format!("server {}", one.servername)),
            _ => return self.replication(node) || self.storage(node),
        }
        true
    }

    fn replication(&mut self, node: &N) -> bool {
        match node {
            N::CreatePublicationStmt(one) => {
                self.server("CREATE", Effect::Admin, format!("publication {}", one.pubname))
            }
            N::AlterPublicationStmt(one) => self.server("ALTER", Effect::Admin, format!("publication {}", one.pubname)),
            N::CreateSubscriptionStmt(one) => {
                self.server("CREATE", Effect::Admin, format!("subscription {}", one.subname))
            }
            N::AlterSubscriptionStmt(one) => {
                self.server("ALTER", Effect::Admin, format!("subscription {}", one.subname))
            }
            N::DropSubscriptionStmt(one) => self.server("DROP", Effect::Admin, format!("subscription {}", one.subname)),
            N::CreateEventTrigStmt(one) => {
                self.server("CREATE", Effect::Admin, format!("event trigger {}", one.trigname))
            }
            N::AlterEventTrigStmt(one) => {
                self.server("ALTER", Effect::Admin, format!("event trigger {}", one.trigname))
            }
            _ => return false,
        }
        true
    }

    fn storage(&mut self, node: &N) -> bool {
        match node {
            N::CreateAmStmt(one) => self.server("CREATE", Effect::Admin, format!("access method {}", one.amname)),
            N::CreateTableSpaceStmt(one) => {
                self.server("CREATE", Effect::Admin, format!("tablespace {}", one.tablespacename))
            }
            N::DropTableSpaceStmt(one) => {
                self.server("DROP", Effect::Admin, format!("tablespace {}", one.tablespacename))
            }
            N::AlterTableSpaceOptionsStmt(one) => {
                self.server("ALTER", Effect::Admin, format!("tablespace {}", one.tablespacename));
            }
            N::AlterTableMoveAllStmt(one) => self.move_all(one),
            N::CreatedbStmt(one) => self.database("CREATE", &one.dbname),
            N::AlterDatabaseStmt(one) => self.database("ALTER", &one.dbname),
            N::AlterDatabaseRefreshCollStmt(one) => self.database("ALTER", &one.dbname),
            N::AlterDatabaseSetStmt(one) => self.database("ALTER", &one.dbname),
            N::DropdbStmt(one) => {
                self.database("DROP", &one.dbname);
                self.act(Effect::Destroy, Object::new(ObjectKind::Database, one.dbname.clone()));
            }
            N::AlterSystemStmt(one) => {
                self.label = "ALTER SYSTEM";
                let name = one.setstmt.as_ref().map(|set| set.name.to_ascii_lowercase()).unwrap_or_default();
                self.guarded(if name.is_empty() { "all" } else { &name });
            }
            _ => return false,
        }
        true
    }

    fn move_all(&mut self, one: &AlterTableMoveAllStmt) {
        self.server("ALTER", Effect::Admin, format!("tablespace {}", one.new_tablespacename));
    }

    fn database(&mut self, label: &'static str, name: &str) {
        self.label = label;
        self.act(Effect::Admin, Object::new(ObjectKind::Database, name));
    }
}
