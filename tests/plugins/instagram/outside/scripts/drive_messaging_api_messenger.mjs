// Drives npm messaging-api-messenger: the Send API as bots use it, an old version in the path, the token in the query.
import messenger from "messaging-api-messenger";

const { MessengerClient } = messenger;

const settings = JSON.parse(process.argv[2]);
const client = new MessengerClient({
  accessToken: settings.token,
  appSecret: settings.app_secret,
  origin: settings.url,
});
const out = {};
out.text = await client.sendText(settings.person, "Привіт");
out.quick = await client.sendText(settings.person, "Shall we?", {
  quickReplies: [{ contentType: "text", title: "Yes", payload: "YES" }],
});
out.image = await client.sendImage(settings.person, "https://example.com/a.png");
out.buttons = await client.sendButtonTemplate(settings.person, "Where?", [
  { type: "web_url", url: "https://example.com", title: "Shop" },
]);
await client.typingOn(settings.person);
await client.markSeen(settings.person);
out.uploaded = await client.uploadImage("https://example.com/b.png");
out.profile = await client.getUserProfile(settings.person, { fields: ["name", "username"] });
await client.setMessengerProfile({ iceBreakers: [{ question: "How much?", payload: "PRICE" }] });
out.menu = await client.getMessengerProfile(["ice_breakers"]);
await client.passThreadControl(settings.person, 263902037430900, "to a person");
try {
  await client.sendText(settings.blocked, "Hi");
} catch (error) {
  out.blocked = [error.response?.status, error.response?.data?.error?.code, error.response?.data?.error?.errorSubcode
    ?? error.response?.data?.error?.error_subcode];
}
console.log(JSON.stringify(out));
