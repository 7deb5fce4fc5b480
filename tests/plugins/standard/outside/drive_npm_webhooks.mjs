// Drives npm svix or standardwebhooks, alike in their names: signs and sends messages, reads what the hub has sent.
const settings = JSON.parse(process.argv[2]);
const { Webhook } = await import(settings.package);
const hook = new Webhook(settings.secret);

async function send([url, message, body]) {
	const at = new Date();
	const headers = {
		'content-type': 'application/json',
		'webhook-id': message,
		'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
		'webhook-signature': hook.sign(message, at, body),
	};
	return (await fetch(url, { method: 'POST', headers, body })).status;
}

function read(got) {
	const headers = Object.fromEntries(Object.entries(got.headers).map(([name, value]) => [name.toLowerCase(), value]));
	const body = Buffer.from(got.body, 'base64').toString('utf8');
	try {
		hook.verify(body, headers);
		return JSON.parse(body);
	} catch (error) {
		return 'refused: ' + error.message;
	}
}

const sent = [];
for (const one of settings.send) sent.push(await send(one));
console.log(JSON.stringify({ sent, read: settings.read.map(read) }));
