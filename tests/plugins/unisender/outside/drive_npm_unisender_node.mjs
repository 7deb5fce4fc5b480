// Drives npm unisender-node 0.0.7: the key in the query, nested names by qs, no `format`.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const settings = JSON.parse(process.argv[2]);
const axios = require('axios');
(axios.default || axios).interceptors.request.use((config) => ({
	...config, url: config.url.replace('https://api.unisender.com', settings.url),
}));
const Module = require('unisender-node');
const Unisender = Module.default || Module.Unisender || Module;
const log = console.log;
console.log = () => {};
const api = new Unisender({ apiKey: settings.api_key, lang: 'en' });
const { contacts, fields, messaging } = {
	contacts: api.contacts || api, fields: api.fields || api, messaging: api.messaging || api,
};
const out = {};

out.subscribed = (await contacts.subscribe({
	list_ids: ['134', '135'], fields: { email: 'anna@example.com', Name: 'Anna' }, tags: ['a', 'b'], double_optin: 3,
})).result;
const rows = Array.from({ length: 501 }, (_, n) => ({ email: `a${n}@example.com`, Name: `N${n}` }));
out.batches = (await contacts.importContactsBatch({ data: rows })).map((one) => one.result.inserted);
out.contact = (await contacts.getContact({ email: 'anna@example.com', include_lists: 1, include_fields: 1 })).result;
out.inLists = (await contacts.isContactInLists({ email: 'anna@example.com', list_ids: ['134', '135'] })).result;
out.count = (await contacts.getContactCount({ list_id: 134, params: { type: 'address' } })).result.count;
out.total = (await contacts.getTotalContactsCount({ login: 'x' })).result.total;
out.export = (await contacts.exportContacts({ notify_url: `${settings.url}/nowhere`, field_names: ['email'] })).result;
out.task = (await contacts.getTaskResult({ task_uuid: out.export.task_uuid })).result.status;
out.excluded = (await contacts.exclude({ contact_type: 'email', contact: 'anna@example.com', list_ids: ['135'] })).result;
out.email = (await messaging.sendEmail({
	email: 'anna@example.com', sender_name: 'Club', sender_email: 'club@dogclub.example', subject: 'Hi', body: 'x',
	list_id: 134, metadata: { deal: '55' },
})).result;
out.checked = (await messaging.checkEmail({ email_id: [String(out.email.email_id)] })).result;
out.fields = (await fields.getFields()).result.map((row) => row.name);
log(JSON.stringify(out));
