// Drive a portal by webhook: the argument is the hook's url (https).
import { B24Hook } from '@bitrix24/b24jssdk'

const portal = B24Hook.fromWebhookUrl(process.argv[2])
const v2 = portal.actions.v2

const added = await v2.call.make({ method: 'crm.deal.add', params: { fields: { TITLE: 'js', CATEGORY_ID: 5 } } })
const deal = added.getData().result
const shown = await v2.call.make({ method: 'crm.deal.get', params: { id: deal } })
const list = await v2.callList.make({ method: 'crm.deal.list', params: { select: ['ID'], filter: { CATEGORY_ID: 5 } }, idKey: 'ID' })
const items = await v2.callList.make({
  method: 'crm.item.list', params: { entityTypeId: 2, select: ['id'] }, idKey: 'id', customKeyForResult: 'items'
})
const batch = await v2.batch.make({
  calls: { found: { method: 'crm.deal.list', params: { filter: { TITLE: 'js' }, select: ['ID'] } },
    deal: { method: 'crm.deal.get', params: { id: '$result[found][0][ID]' } } },
  options: { isHaltOnError: true }
})
let failure
try {
  await v2.call.make({ method: 'crm.item.get', params: { entityTypeId: 2, id: 1 } })
} catch (error) {
  failure = error.code
}
console.log(JSON.stringify({
  title: shown.getData().result.TITLE,
  list: new Set(list.getData().map((row) => row.ID)).size,
  items: new Set(items.getData().map((row) => row.id)).size,
  batch: batch.getData().deal?.TITLE ?? batch.getData().deal?.getData?.().result.TITLE,
  failure
}))
process.exit(0)
