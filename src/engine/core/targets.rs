//! Targets that come and go while the engine runs.

use std::sync::Arc;

use tokio::time::Instant;

use super::super::desk::Desk;
use super::super::{Adopt, owned};
use super::{Core, LIVELY_FOR};
use crate::model::command::{Notice, Ticket};
use crate::model::event::EventKind;
use crate::model::target::{Target, TargetId};
use crate::model::text::SafeText;

impl Core {
    /// Looks at one target more. Its secrets are known to the redactor before anything is written.
    pub(super) fn add(&mut self, target: Target, ticket: Ticket, adopt: &Adopt, desk: &mut Desk) {
        let id = target.id.clone();
        if self.window.borrow().targets.contains_key(&id) {
            let what = SafeText::new(format!("{id} is watched already"));
            desk.tell(vec![Notice::Saved { ticket, what }]);
            return;
        }
        let devices = adopt(&target);
        let mut mine = owned(devices, std::slice::from_ref(&target));
        mine.retain(|(owner, _)| *owner == id);
        if !mine.is_empty() {
            let all = self.world.devices.iter().cloned();
            self.world.devices = Arc::new(all.chain(mine).collect());
        }
        self.window.write().join(target.clone());
        desk.enter_with(ticket, EventKind::TargetAdded { target: id });
        desk.tell(vec![Notice::TargetAdded(Box::new(target))]);
        self.changed(desk);
    }

    /// Looks at one target less. What its figures were goes on record; what was found of it ends
    /// without anybody having seen it end.
    pub(super) fn remove(&mut self, id: TargetId, ticket: Ticket, desk: &mut Desk) {
        let known = self.window.borrow().targets.contains_key(&id);
        if !known || id == TargetId::local() {
            let what = SafeText::new(format!("{id} was not removed: it is no target of its own"));
            desk.tell(vec![Notice::Saved { ticket, what }]);
            return;
        }
        desk.record_numbers_of(&self.window.borrow(), Some(&id));
        self.window.write().remove(&id);
        let left = self.world.devices.iter().filter(|(owner, _)| *owner != id);
        self.world.devices = Arc::new(left.cloned().collect());
        self.states.remove(&id);
        self.ledger.forget(&id);
        desk.enter_with(ticket, EventKind::TargetRemoved { target: id.clone() });
        desk.tell(vec![Notice::TargetRemoved(id)]);
        self.changed(desk);
    }

    fn changed(&mut self, desk: &mut Desk) {
        // Probes that run already keep the share of the rate that they began with.
        self.world.targets = self.window.borrow().order.len().max(1);
        self.lively_until = Instant::now() + LIVELY_FOR;
        self.look(desk);
    }
}
