// Keeps unsent answers in this tab until they are sent. The page works without it.
(function () {
  var form = document.querySelector("[data-keep]"), mine = document.currentScript.dataset.forget
  var summary = document.querySelector(".sum"), box
  if (summary) summary.focus()
  try { box = sessionStorage } catch (e) { return }
  if (mine) box.removeItem(mine)
  if (!form) return
  var key = form.dataset.keep
  function save() {
    var kept = []
    new FormData(form).forEach(function (value, name) { if (name != "idem_key") kept.push([name, value]) })
    try { box.setItem(key, JSON.stringify(kept)) } catch (e) { }
  }
  if (!form.hasAttribute("data-kept")) {
    JSON.parse(box.getItem(key) || "[]").forEach(function (pair) {
      form.querySelectorAll('[name="' + CSS.escape(pair[0]) + '"]').forEach(function (field) {
        if (field.type == "radio" || field.type == "checkbox") field.checked = field.value == pair[1]
        else field.value = pair[1]
      })
    })
  }
  form.addEventListener("input", save)
})()
