-- The name of the trip, so that only what was held when somebody looked is released.
if obj.status == nil or obj.status.brake == nil or obj.status.brake.trip == nil then
  error("no revocations are paused", 0)
end
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["completions.lxp.dev/release-brake"] = obj.status.brake.trip
return obj
