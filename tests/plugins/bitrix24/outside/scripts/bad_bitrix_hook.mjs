// Drive a portal by webhook: the argument is the hook's url without a slash at its end.
import bitrixModule from '@2bad/bitrix'

const Bitrix = bitrixModule.default ?? bitrixModule.Bitrix ?? bitrixModule
const portal = Bitrix(process.argv[2])

const added = await portal.deals.create({ TITLE: 'bad & good' })
const shown = await portal.deals.get(String(added.result))
const list = await portal.deals.list({ select: ['ID'] })
let failure = ''
try {
  await portal.deals.get('1')
} catch (error) {
  failure = error.message
}
console.log(JSON.stringify({
  title: shown.result.TITLE, list: new Set(list.result.map((row) => row.ID)).size, failure
}))
process.exit(0)
