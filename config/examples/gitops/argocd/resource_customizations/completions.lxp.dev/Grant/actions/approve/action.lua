local reason = actionParams["reason"]
if reason == nil or reason == "" then
  error("say why: the reason is kept with the approval", 0)
end
if obj.spec.override ~= nil then
  error("there is an exception already: spec.override", 0)
end
obj.spec.override = {approved = true, reason = reason}
return obj
