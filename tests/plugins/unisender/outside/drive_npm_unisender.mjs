// Drives npm unisender 1.1.1: the key in the form, `format` in the query.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const settings = JSON.parse(process.argv[2]);
require('unisender/src/config/defaults').url = settings.url;
const UniSender = require('unisender');
const connect = (key) => new UniSender({ api_key: key });
const api = connect(settings.api_key);
const refusal = (call) => call.then(() => null, (answer) => answer);
const out = {};

out.lists = (await api.getLists()).result.map((row) => row.title);
out.person = (await api.subscribe({
	list_ids: '134', 'fields[email]': 'anna@example.com', 'fields[Name]': 'Anna', double_optin: 3, overwrite: 2,
})).result.person_id;
out.imported = (await api.importContacts({
	field_names: ['email', 'email_list_ids'],
	data: [
		{ email: 'boris@example.com', email_list_ids: '134,135' },
		{ email: 'sales@example.com', email_list_ids: '134' },
	],
})).result;
out.exported = (await api.exportContacts({ list_id: 134, 'field_names[0]': 'email' })).result;
const letter = { sender_name: 'Club', sender_email: 'club@dogclub.example', subject: 'Hi', body: 'x', list_id: 134 };
out.message = (await api.createEmailMessage({ ...letter })).result.message_id;
out.campaign = (await api.createCampaign({ message_id: out.message, track_read: 1 })).result;
out.status = (await api.getCampaignStatus({ campaign_id: out.campaign.campaign_id })).result.status;
out.email = (await api.sendEmail({ email: 'anna@example.com', ...letter })).result.email_id;
out.checked = (await api.checkEmail({ email_id: out.email })).result;
out.sms = (await api.sendSms({ phone: '79161234567', sender: 'Club', text: 'x' })).result;
out.smsStatus = (await api.checkSms({ sms_id: out.sms.sms_id })).result.status;
out.unsubscribed = (await api.unsubscribe({ contact_type: 'email', contact: 'anna@example.com' })).result;
out.fields = (await api.getFields()).result.map((row) => row.name);
out.wrongKey = await refusal(connect('wrong').getLists());
out.wrongList = await refusal(api.subscribe({ list_ids: '5', 'fields[email]': 'a@example.com', double_optin: 3 }));
console.log(JSON.stringify(out));
