-- Tells Argo CD how a GPUInstance or an InstanceUpgrade is doing, from what its conditions say, by the rules of
-- kstatus. Healthy: as the spec asks. Progressing: wait. Degraded: only a person or a change of the spec helps.
-- Suspended: nothing is wrong, and it is up to a person: spec.suspend holds an instance as it is, or an upgrade
-- waits for a payment or a confirmation. Needs the basic library of Lua only: Argo CD opens little else.

local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return {
    status = "Progressing",
    message = "waiting for the operator to look at generation " .. tostring(obj.metadata.generation),
  }
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function holds(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end

local ready = conditions.Ready or {}
local health = {status = "Progressing", message = ready.message or "waiting for the operator"}
if holds("Stalled") then
  health.status = "Degraded"
elseif holds("ActionRequired") then
  health.status = "Suspended"
elseif holds("Reconciling") then
  health.status = "Progressing"
elseif holds("Paused") then
  health.status = "Suspended"
elseif holds("Ready") or status.outcome == "Stopped" then
  health.status = "Healthy"
end
return health
