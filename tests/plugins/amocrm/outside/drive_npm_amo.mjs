// Drives npm @shevernitskiy/amo 0.1.12; an empty answer (204) and 429 raise in it.
import { Amo } from "@shevernitskiy/amo";

const settings = JSON.parse(process.argv[2]);
const auth = Object.fromEntries(["client_id", "client_secret", "redirect_uri"].map((name) => [name, settings[name]]));
const told = [];
const token = {
  token_type: "Bearer", expires_in: 86400, access_token: "stale", refresh_token: settings.refresh_token, expires_at: 1,
};
const amo = new Amo("example.amocrm.ru", { ...auth, ...token }, { request_delay: 1, on_token: (one) => told.push(one) });
amo.rest.url_base = settings.base_url;

const refusal = async (call) => {
  try {
    await call();
  } catch (error) {
    return error.response?.["validation-errors"]?.length ?? error.message.slice(0, 40);
  }
  return null;
};

const out = {};
out.account = (await amo.account.getAccount({ with: ["amojo_id"] })).amojo_id;
out.refreshed = told.length;
const [lead] = (await amo.lead.addLeads([{ name: "x", price: 5 }]))._embedded.leads;
await amo.lead.updateLeadById(lead.id, { status_id: 142, pipeline_id: 7100001 });
out.lead = (await amo.lead.getLeadById(lead.id)).status_id;
out.leads = (await amo.lead.getLeads({ limit: 1 }))._embedded.leads.length;
const [whole] = await amo.lead.addComplex([{ name: "whole", _embedded: { contacts: [{ first_name: "Анна" }] } }]);
out.complex = Boolean(whole.contact_id);
out.users = (await amo.user.getUsers())._embedded.users.length;
out.pipelines = (await amo.pipeline.getPipelines())._embedded.pipelines.length;
out.hook = (await amo.webhook.addWebhook({ destination: "https://hub.example.com/x/", settings: ["add_lead"], sort: 10 })).disabled;
out.missing = await refusal(() => amo.lead.getLeadById(1));
out.invalid = await refusal(() => amo.lead.addLeads([{ nonsense: 1 }]));
console.log(JSON.stringify(out));
