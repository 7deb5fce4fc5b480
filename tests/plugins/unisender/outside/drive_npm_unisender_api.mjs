// Drives npm unisender-api 1.1.1: everything in the query, a JSON body that means nothing.
import { createRequire } from 'node:module';

const Module = createRequire(import.meta.url)('unisender-api');
const Unisender = Module.default || Module.Unisender || Module;
const settings = JSON.parse(process.argv[2]);
const connect = (key) => Object.assign(new Unisender(key), { apiUrl: `${settings.url}/ru/api/` });
const api = connect(settings.api_key);
const out = {};

out.lists = (await api.getLists()).result.map((row) => row.title);
out.made = (await api.createList('Outside')).result.id;
await api.updateList(out.made, 'Outside too');
out.titles = (await api.getLists()).result.map((row) => row.title);
await api.deleteList(out.made);
out.fields = (await api.getFields()).result.length;
out.person = (await api.subscribe('134,135', 'anna@example.com', 'Anna', { City: 'Kazan' }, { double_optin: 3 }))
	.result.person_id;
await api.exclude('email', 'anna@example.com', '134');
out.total = (await api.getTotalContactsCount('login')).result.total;
out.contact = (await api.getContact('anna@example.com')).result.email.email;
out.wrongKey = await connect('wrong').getLists();
console.log(JSON.stringify(out));
