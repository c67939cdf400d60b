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
if ready.status == "True" and ready.reason == "Suspended" then
  hs.status = "Suspended"
  return hs
end
-- It works, and yet some of what it grants would fail, as far as can be checked in advance.
local access = conditions["AccessReady"]
if ready.status == "True" and access ~= nil and access.status == "False" then
  hs.message = access.reason .. ": " .. access.message
end
if conditions["Stalled"] ~= nil and conditions["Stalled"].status == "True" then
  hs.status = "Degraded"
elseif ready.status == "True" then
  hs.status = "Healthy"
end
return hs
