import puppeteer from 'puppeteer-core';
import fs from 'fs';
const dev=JSON.parse(fs.readFileSync('/tmp/pdev/dev.json'));
const rp=process.argv[2]; const who=process.argv[3]||'demo';
const user=dev.users.find(u=>u.name===who);
const browser=await puppeteer.launch({executablePath:'/usr/bin/chromium',headless:true,args:['--no-sandbox','--disable-gpu','--ignore-certificate-errors','--lang=en'],acceptInsecureCerts:true});
const page=await browser.newPage(); await page.setViewport({width:520,height:900});
const errors=[]; page.on('console',m=>errors.push(m.type()+': '+m.text())); page.on('pageerror',e=>errors.push('pageerror '+e)); page.on('requestfailed',r=>errors.push('failed '+r.url()+' '+r.failure()?.errorText)); page.on('response',r=>{ if(r.status()>=400) errors.push(r.status()+' '+r.url())});
let n=0; page.on('request',r=>console.log('  >',r.method(),r.url().slice(0,110)));page.on('response',r=>console.log('  <',r.status(),r.url().slice(0,80),(r.headers().location||'').slice(0,90)));const shot=async(name)=>{ await page.screenshot({path:`/tmp/walk-${who}-${++n}-${name}.png`}); console.log(n,name,page.url().slice(0,120),'|',await page.title(), (await page.content()).length); };
await page.goto(rp); await shot('rp');
const link=await page.$('a[href]'); if(link){ await Promise.all([page.waitForNavigation(),link.click()]); }
else { const b=await page.$('button'); await Promise.all([page.waitForNavigation(),b.click()]); }
await shot('login');
await page.type('#user_name',who); await page.type('#password','wrong'); await Promise.all([page.waitForNavigation(),page.click('button[value=password]')]); await shot('wrong');
await page.type('#password',user.password); await Promise.all([page.waitForNavigation(),page.click('button[value=password]')]); await shot('after-password');
if(await page.$('#code')){ const {execSync}=await import('child_process'); const code=execSync(`python3 /tmp/totp.py ${user.totp_secret}`).toString().trim(); await page.type('#code',code); await Promise.all([page.waitForNavigation(),page.keyboard.press('Enter')]); await shot('after-code'); }
const radios=await page.$$('input[type=radio]'); if(radios.length) await radios[0].click();
if(await page.$('button[value=allow]')){ await shot('consent'); await Promise.all([page.waitForNavigation(),page.click('button[value=allow]')]); }
await shot('back');
await page.goto(dev.issuer+'/account'); await shot('account');
const totp=await page.$('button[value=add_totp]'); if(totp){ await Promise.all([page.waitForNavigation(),totp.click()]); await shot('add-totp'); 
 if(await page.$('.key')){ const secret=(await page.$eval('.key',e=>e.textContent)).replace(/ /g,''); const {execSync}=await import('child_process'); const code=execSync(`python3 /tmp/totp.py ${secret}`).toString().trim(); await page.type('#code',code); await Promise.all([page.waitForNavigation(),page.click('button[value=confirm]')]); await shot('totp-done'); const c=await page.$('button[value=continue]'); if(c){ await Promise.all([page.waitForNavigation(),c.click()]); await shot('after-codes'); } } }
await page.goto(dev.issuer+'/device'); await shot('device');
await page.goto(dev.issuer+'/logout'); await shot('logout');
const out=await page.$('button[value=logout]'); if(out){ await Promise.all([page.waitForNavigation(),out.click()]); await shot('logged-out'); }
console.log(errors.join('\n')); await browser.close();
