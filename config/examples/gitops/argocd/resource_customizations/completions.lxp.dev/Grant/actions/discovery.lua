local awaits = obj.status ~= nil and obj.status.phase == "AwaitingApproval"
return {
  approve = {disabled = not awaits, iconClass = "fa fa-fw fa-check", params = {{name = "reason"}}},
}
