//! Permissions and roles, and ALTER of objects that are named by their type.

use model::{Effect, Object, ObjectKind};
use pg_query::protobuf::{DropBehavior, GrantStmt, Node, ObjectType, RangeVar, RoleSpec, node::Node as N};

use super::{Walker, inner, names_of, qualified, strings};

fn role_name(role: Option<&RoleSpec>) -> String {
    match role {
        Some(role) if !role.rolename.is_empty() => role.rolename.clone(),
        Some(_) => "current_user".to_owned(),
        None => "?".to_owned(),
    }
}

impl Walker<'_> {
    fn role(&mut self, effect: Effect, role: Option<&RoleSpec>) {
        self.act(effect, Object::new(ObjectKind::Role, role_name(role)));
    }

    fn roles(&mut self, effect: Effect, roles: &[Node]) {
        for node in roles {
            match inner(Some(node)) {
                Some(N::RoleSpec(role)) => self.role(effect, Some(role)),
                Some(N::AccessPriv(role)) => {
                    self.act(effect, Object::new(ObjectKind::Role, role.priv_name.clone()));
                }
                _ => self.not_understood("a role"),
            }
        }
    }

    /// ALTER of an object that is named by its type: an effect on it.
    fn named(&mut self, effect: Effect, what: ObjectType, relation: Option<&RangeVar>, object: Option<&Node>) {
        self.label = "ALTER";
        if let Some(range) = relation {
            self.on_any(effect, range);
            return;
        }
        let mut names = names_of(object);
        if matches!(
            what,
            ObjectType::ObjectColumn
                | ObjectType::ObjectTabconstraint
                | ObjectType::ObjectTrigger
                | ObjectType::ObjectRule
                | ObjectType::ObjectPolicy
                | ObjectType::ObjectDomconstraint
                | ObjectType::ObjectAttribute
        ) && names.len() > 1
        {
            names.pop();
        }
        let effect =
            if super::ddl::is_administration(what) && effect == Effect::Alter { Effect::Admin } else { effect };
        self.on_named(effect, what, &names);
    }

    pub(super) fn alter_object(&mut self, node: &N) -> bool {
        match node {
            N::RenameStmt(rename) => {
                match super::ddl::kind_of(rename.rename_type()) {
                    ObjectKind::Schema => self.fresh.doubt_all(),
                    _ => self.fresh.doubt(&rename.newname),
                }
                let effect = if rename.rename_type() == ObjectType::ObjectRole { Effect::Grant } else { Effect::Alter };
                if matches!(
                    rename.rename_type(),
                    ObjectType::ObjectRole | ObjectType::ObjectDatabase | ObjectType::ObjectSchema
                ) || rename.relation.is_none() && rename.object.is_none()
                {
                    let kind = super::ddl::kind_of(rename.rename_type());
                    let effect = if kind == ObjectKind::Database { Effect::Admin } else { effect };
                    self.label = "ALTER";
                    self.act(effect, Object::new(kind, rename.subname.clone()));
                    if kind == ObjectKind::Schema {
                        self.move_schema(&rename.subname);
                    }
                } else {
                    match rename.rename_type() {
                        ObjectType::ObjectColumn | ObjectType::ObjectAttribute => {
                            self.move_column(rename.relation.as_ref(), &rename.subname, &rename.newname);
                            if rename.behavior() == DropBehavior::DropCascade {
                                self.reaches_typed_tables();
                            }
                        }
                        // The server takes the word for one sort of relation for others, too.
                        ObjectType::ObjectTable
                        | ObjectType::ObjectForeignTable
                        | ObjectType::ObjectView
                        | ObjectType::ObjectMatview
                        | ObjectType::ObjectIndex
                        | ObjectType::ObjectSequence => self.move_table(rename.relation.as_ref()),
                        _ => {}
                    }
                    self.named(effect, rename.rename_type(), rename.relation.as_ref(), rename.object.as_deref());
                }
            }
            N::AlterObjectSchemaStmt(alter) => {
                if let Some(name) = names_of(alter.object.as_deref()).last() {
                    self.fresh.doubt(name);
                }
                self.named(Effect::Alter, alter.object_type(), alter.relation.as_ref(), alter.object.as_deref());
                self.move_table(alter.relation.as_ref());
                self.act(Effect::Create, Object::new(ObjectKind::Schema, alter.newschema.clone()));
            }
            N::AlterObjectDependsStmt(alter) => {
                self.named(Effect::Alter, alter.object_type(), alter.relation.as_ref(), alter.object.as_deref());
            }
            N::AlterOwnerStmt(alter) => {
                self.named(Effect::Grant, alter.object_type(), alter.relation.as_ref(), alter.object.as_deref());
                self.role(Effect::Grant, alter.newowner.as_ref());
            }
            N::CommentStmt(comment) => {
                self.named(Effect::Alter, comment.objtype(), None, comment.object.as_deref());
                self.label = "COMMENT";
            }
            N::SecLabelStmt(label) => {
                self.named(Effect::Alter, label.objtype(), None, label.object.as_deref());
                self.label = "SECURITY LABEL";
            }
            _ => return self.alter_definition(node),
        }
        true
    }

    fn alter_definition(&mut self, node: &N) -> bool {
        match node {
            N::AlterDomainStmt(alter) => {
                let (schema, name) = qualified(&alter.type_name);
                let (schema, name) = (schema.unwrap_or("").to_owned(), name.to_owned());
                self.label = "ALTER";
                self.on_routine(Effect::Alter, ObjectKind::Type, &schema, &name);
                match inner(alter.def.as_deref()) {
                    Some(N::Constraint(constraint)) => {
                        self.walk_loose(constraint.raw_expr.as_deref(), "a constraint");
                    }
                    _ => self.walk_loose(alter.def.as_deref(), "a default"),
                }
            }
            N::AlterEnumStmt(alter) => self.alter_names(ObjectKind::Type, &alter.type_name),
            N::AlterTypeStmt(alter) => self.alter_names(ObjectKind::Type, &alter.type_name),
            N::AlterFunctionStmt(alter) => match &alter.func {
                Some(function) => self.alter_names(ObjectKind::Function, &function.objname),
                None => self.bare(Effect::Alter),
            },
            N::AlterOperatorStmt(alter) => match &alter.opername {
                Some(operator) => self.alter_names(ObjectKind::Function, &operator.objname),
                None => self.bare(Effect::Alter),
            },
            N::AlterCollationStmt(alter) => self.alter_catalog(&alter.collname),
            N::AlterOpFamilyStmt(alter) => self.alter_catalog(&alter.opfamilyname),
            N::AlterStatsStmt(alter) => self.alter_catalog(&alter.defnames),
            N::AlterTsdictionaryStmt(alter) => self.alter_catalog(&alter.dictname),
            N::AlterTsconfigurationStmt(alter) => self.alter_catalog(&alter.cfgname),
            _ => return false,
        }
        true
    }

    fn alter_names(&mut self, kind: ObjectKind, names: &[Node]) {
        self.label = "ALTER";
        let (schema, name) = qualified(names);
        self.on_routine(Effect::Alter, kind, schema.unwrap_or(""), name);
    }

    fn alter_catalog(&mut self, names: &[Node]) {
        self.label = "ALTER";
        self.catalog_object(Effect::Alter, strings(names).join("."));
    }

    pub(super) fn permission(&mut self, node: &N) -> bool {
        match node {
            N::GrantStmt(grant) => self.grant(grant),
            N::GrantRoleStmt(grant) => {
                self.label = if grant.is_grant { "GRANT" } else { "REVOKE" };
                self.roles(Effect::Grant, &grant.granted_roles);
                self.roles(Effect::Grant, &grant.grantee_roles);
            }
            N::AlterDefaultPrivilegesStmt(_) => {
                self.label = "ALTER";
                self.catalog_object(Effect::Grant, "default privileges");
            }
            N::CreateRoleStmt(create) => {
                self.label = "CREATE";
                self.act(Effect::Grant, Object::new(ObjectKind::Role, create.role.clone()));
            }
            N::AlterRoleStmt(alter) => {
                self.label = "ALTER";
                self.role(Effect::Grant, alter.role.as_ref());
            }
            N::AlterRoleSetStmt(alter) => {
                self.label = "ALTER";
                self.role(Effect::Grant, alter.role.as_ref());
                self.role(Effect::Admin, alter.role.as_ref());
            }
            N::DropRoleStmt(drop) => {
                self.label = "DROP";
                self.roles(Effect::Grant, &drop.roles);
            }
            N::DropOwnedStmt(drop) => {
                self.label = "DROP";
                self.roles(Effect::Grant, &drop.roles);
                self.roles(Effect::Destroy, &drop.roles);
            }
            N::ReassignOwnedStmt(reassign) => {
                self.label = "REASSIGN";
                self.roles(Effect::Grant, &reassign.roles);
                self.role(Effect::Grant, reassign.newrole.as_ref());
            }
            N::CreatePolicyStmt(policy) => {
                self.label = "CREATE";
                self.on_table(Effect::Grant, policy.table.as_ref());
                self.table_expression(policy.table.as_ref(), policy.qual.as_deref());
                self.table_expression(policy.table.as_ref(), policy.with_check.as_deref());
            }
            N::AlterPolicyStmt(policy) => {
                self.label = "ALTER";
                self.on_table(Effect::Grant, policy.table.as_ref());
                self.table_expression(policy.table.as_ref(), policy.qual.as_deref());
                self.table_expression(policy.table.as_ref(), policy.with_check.as_deref());
            }
            _ => return false,
        }
        true
    }

    fn on_table(&mut self, effect: Effect, range: Option<&RangeVar>) {
        match range {
            Some(range) => {
                for object in self.objects(range) {
                    self.act(effect, object);
                }
            }
            None => self.bare(effect),
        }
    }

    fn grant(&mut self, grant: &GrantStmt) {
        self.label = if grant.is_grant { "GRANT" } else { "REVOKE" };
        self.roles(Effect::Grant, &grant.grantees);
        for node in &grant.objects {
            match inner(Some(node)) {
                Some(N::RangeVar(range)) => self.on_table(Effect::Grant, Some(range)),
                _ => {
                    let kind = super::ddl::kind_of(grant.objtype());
                    let name = super::ddl::titled(grant.objtype(), &names_of(Some(node)).join("."));
                    self.act(Effect::Grant, Object::new(kind, name));
                }
            }
        }
    }
}
