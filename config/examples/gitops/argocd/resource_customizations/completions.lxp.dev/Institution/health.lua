local hs = {status = "Progressing", message = "the operator has yet to look at it"}
if obj.metadata.deletionTimestamp ~= nil then
  hs.message = "it is being deleted"
  return hs
end
if obj.status == nil or obj.status.conditions == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return hs
end
local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end
local ready = conditions["Ready"]
if ready == nil then
  return hs
end
hs.message = ready.reason .. ": " .. ready.message
-- A person has to act: to resume it, or to release the brake on revocations.
if obj.spec.suspend == true then
  hs.status = "Suspended"
  hs.message = "deliveries are stored; nothing is granted or revoked"
  return hs
end
local paused = conditions["RevocationsPaused"]
if ready.status == "True" and paused ~= nil and paused.status == "True" then
  hs.status = "Suspended"
  hs.message = paused.reason .. ": " .. paused.message
  return hs
end
if conditions["Stalled"] ~= nil and conditions["Stalled"].status == "True" then
  hs.status = "Degraded"
elseif ready.status == "True" then
  hs.status = "Healthy"
end
return hs
