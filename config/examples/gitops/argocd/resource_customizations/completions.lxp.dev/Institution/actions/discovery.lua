local suspended = obj.spec.suspend == true
local trip = obj.status ~= nil and obj.status.brake ~= nil and obj.status.brake.trip or nil
return {
  suspend = {disabled = suspended, iconClass = "fa fa-fw fa-pause"},
  resume = {disabled = not suspended, iconClass = "fa fa-fw fa-play"},
  ["release-brake"] = {disabled = trip == nil, iconClass = "fa fa-fw fa-unlock", displayName = "Release paused revocations"},
}
